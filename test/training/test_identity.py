"""Which trainings are the same."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from planes import Planes

from depth_completion_ros.networks.registry import create
from depth_completion_ros.training.identity import check_same, identify
from depth_completion_ros.training.recipes import recipe
from depth_completion_ros.training.samples import SampleStream, Share
from depth_completion_ros.training.schedules import Cosine
from depth_completion_ros.training.sparsity import Sparsity

NLSPN = recipe("nlspn")


LINES = Sparsity(lines=(4, 8))


def identity(chosen=NLSPN, *, weight=1, version=1, options="seed=1", sparsity=LINES, init=None, seed=0):
    source = Planes()
    source.version = version
    stream = SampleStream([Share(source, weight, options)], chosen.augmentation, sparsity, seed=3)
    network = create("emdc", preset="lite")
    if init is not None:
        with torch.no_grad():
            next(network.parameters()).fill_(init)
    return identify(network, replace(chosen, sparsity=sparsity), stream, init=init is not None, seed=seed)


def test_the_same_arguments_make_the_same_training(tmp_path):
    check_same(identity(), identity(), tmp_path)
    check_same(identity(seed=1), identity(seed=1), tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed 0 instead of 1"),
        ({"weight": 2}, r"data \[\['planes', 4, 1\]\] instead of \[\['planes', 4, 2\]\]"),
        ({"options": "seed=2"}, r"options of the data \['seed=1'\] instead of \['seed=2'\]"),
        ({"version": 2}, r"versions of the data \[1\] instead of \[2\]"),
        ({"init": 0.5}, r"first weights None instead of \w{16}"),
        ({"sparsity": Sparsity(lines=(4, 9))}, "sparsity .* instead of .*9"),
        ({"chosen": replace(NLSPN, augmentation=recipe("nlspn", "nyu").augmentation)}, "augmentation .*100.* instead"),
        ({"chosen": recipe("mspn")}, "loss _refined.* instead of _silog; optimizer Adam.* instead of AdamW"),
        ({"chosen": recipe("nlspn", "nyu")}, r"loss _refined\(max_depth=90.0, powers=\(1, 2\)\) instead of"),
        (
            {"chosen": replace(NLSPN, optimizer=partial(NLSPN.optimizer, lr=1))},
            r"training: optimizer Adam\(lr=0.001\) instead of Adam\(lr=1\); choose",
        ),
        ({"chosen": replace(NLSPN, average=0.99)}, "training: average 0.999 instead of 0.99; choose"),
        ({"chosen": replace(NLSPN, clip=1.0)}, "training: clip 1000.0 instead of 1.0; choose"),
        ({"chosen": replace(NLSPN, epochs=2)}, "training: schedule .*25.* instead of .*2"),
        ({"chosen": replace(NLSPN, schedule=Cosine(2, 1, 0))}, "schedule .*Milestones.* instead of .*Cosine"),
    ],
)
def test_whatever_changes_the_curve_makes_another_one(tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        check_same(identity(**change), identity(), tmp_path)


def test_what_an_earlier_version_did_not_note_is_no_difference(tmp_path):
    was = identity()
    del was["clip"], was["options of the data"]
    del was["augmentation"]["bottom"]  # as if it had been False
    check_same(identity(), was, tmp_path)
    with pytest.raises(ValueError, match="seed"):
        check_same(identity(seed=2), was, tmp_path)
    del was["augmentation"]["top"]  # then crops had any part of the image
    with pytest.raises(ValueError, match="augmentation"):
        check_same(identity(), was, tmp_path)
