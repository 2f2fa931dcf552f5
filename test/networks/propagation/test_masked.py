"""Masked propagation against loops over pixels, and its fast paths against the reference."""

import importlib.util
import math
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from depth_completion_ros.networks.propagation import masked_tiles
from depth_completion_ros.networks.propagation.masked import MaskedPropagation, iteration_count, reference_step

needs_triton = pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed")
FAST = ["tiles", pytest.param("triton", marks=needs_triton)]


def step_of(path, *arguments, **options):
    if path == "reference":
        return reference_step(*arguments)
    if path == "tiles":
        return masked_tiles.attention_step(*arguments)
    from depth_completion_ros.networks.propagation.masked_triton import attention_step

    device = "cuda" if torch.cuda.is_available() else "cpu"  # on the CPU, conftest has chosen the interpreter
    step = attention_step(*(a.to(device) if isinstance(a, torch.Tensor) else a for a in arguments), **options)
    return lambda depth, mask: step(depth.to(device), mask.to(device)).cpu()


def random_layer(channels, window, dtype=torch.float32):
    layer = MaskedPropagation(channels, window).to(dtype)
    torch.manual_seed(channels + window)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.5)
        layer.projection.weight.mul_(channels**-0.5)
        layer.norm.weight.add_(1)
    return layer


def random_inputs(batch, channels, height, width, dtype=torch.float32):
    """Guidance, depth, mask."""
    generator = torch.Generator().manual_seed(batch + 10 * height + width)
    shapes = (batch, channels, height, width), (batch, 1, height, width), (batch, 1, height, width)
    guidance, depth, mask = (torch.rand(shape, generator=generator, dtype=dtype) for shape in shapes)
    return 4 * guidance - 1, 1 + 4 * depth, mask * (mask < 0.4)


def arguments_of(layer, guidance):
    return (layer.normalised(guidance), *layer.weights(guidance), layer.window)


@pytest.mark.parametrize(("height", "width", "window"), [(13, 15, 13), (14, 27, 13), (7, 5, 5), (3, 4, 3)])
@pytest.mark.parametrize("path", ["reference", *FAST])
@torch.no_grad()
def test_step_is_attention_over_the_window_of_every_pixel(path, height, width, window):
    layer = random_layer(3, window, torch.float64)
    guidance, depth, mask = random_inputs(1, 3, height, width, torch.float64)
    variance, mean = torch.var_mean(guidance, 1, correction=0, keepdim=True)
    normalised = (guidance - mean) / (variance + 1e-6).sqrt()
    normalised = normalised * layer.norm.weight.view(-1, 1, 1) + layer.norm.bias.view(-1, 1, 1)
    features = torch.cat([normalised, depth], 1)[0].permute(1, 2, 0)
    both = features @ layer.projection.weight[:, :, 0, 0].T + layer.projection.bias
    query, key = both[..., :3], both[..., 3:] * mask[0, 0, :, :, None]

    expected = torch.empty(1, 2, height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            # The window lies around the pixel, or as near to that as the image allows.
            rows = sorted(range(height), key=lambda row: abs(row - y))
            columns = sorted(range(width), key=lambda column: abs(column - x))
            total = values = 0
            for row in window_of(rows, window):
                for column in window_of(columns, window):
                    bias = layer.position_bias[0, row - y + window - 1, column - x + window - 1]
                    weight = math.exp(query[y, x] @ key[row, column] + bias)
                    total += weight
                    values = values + weight * torch.stack([depth[0, 0, row, column], mask[0, 0, row, column]])
            expected[0, :, y, x] = values / total

    arguments = arguments_of(layer, guidance)
    if path == "triton":
        arguments = [a.float() if isinstance(a, torch.Tensor) else a for a in arguments]
    result = step_of(path, *arguments)(depth, mask)
    tolerance = 1e-5 if path == "triton" else 1e-12
    torch.testing.assert_close(result.double(), expected, rtol=tolerance, atol=tolerance)


def window_of(by_distance, window):
    """A border cuts one side off; of two pixels at the same distance on either side both belong to an odd window."""
    return by_distance[:window]


@pytest.mark.parametrize("path", FAST)
@pytest.mark.parametrize(
    ("batch", "channels", "height", "width", "window"),
    [(2, 16, 29, 41, 13), (1, 64, 13, 13, 13), (1, 70, 14, 30, 13), (2, 8, 31, 18, 7), (3, 4, 6, 5, 5)],
)
@torch.inference_mode()
def test_fast_path_equals_reference(path, batch, channels, height, width, window):
    layer = random_layer(channels, window)
    guidance, depth, mask = random_inputs(batch, channels, height, width)
    arguments = arguments_of(layer, guidance)
    expected = step_of("reference", *arguments)(depth, mask)
    torch.testing.assert_close(step_of(path, *arguments)(depth, mask), expected, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_tiles_are_alike_however_many_are_done_at_a_time(monkeypatch):
    layer = random_layer(4, 5)
    guidance, depth, mask = random_inputs(2, 4, 40, 33)
    answers = []
    for at_once in (1, 100_000, 1 << 30):
        monkeypatch.setitem(masked_tiles._BYTES_AT_ONCE, "cpu", at_once)
        answers.append(step_of("tiles", *arguments_of(layer, guidance))(depth, mask))
    for answer in answers[1:]:
        torch.testing.assert_close(answer, answers[0])


@pytest.mark.parametrize(
    ("dtype", "capability", "memory"), [("fp32", "89", 99 * 1024), ("fp16", "89", 99 * 1024), ("fp16", "75", 64 * 1024)]
)
def test_a_block_has_the_shared_memory_that_the_kernel_needs(dtype, capability, memory):
    """On Turing, and on GPUs of compute capability 8.6, 8.9 and 12.0, of which none is needed to compile for it."""
    pytest.importorskip("triton", minversion="3.3")  # whose compiler takes these arguments
    program = """
        import sys, torch, triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource
        from depth_completion_ros.networks.propagation.masked_triton import _step_kernel, _tiling

        channels, dtype = 192, sys.argv[1]
        capability, memory = map(int, sys.argv[2:])
        rows, options = _tiling(channels, {"fp32": torch.float32, "fp16": torch.float16}[dtype], memory)
        sizes = dict(CHANNELS=channels, BLOCK=64, WINDOW=13, TILE_HEIGHT=rows, TILE_WIDTH=16, KEYS=32)
        types = dict(query=f"*{dtype}", key=f"*{dtype}", height="i32", width="i32") | dict.fromkeys(sizes, "constexpr")
        signature = {name: types.get(name, "*fp32") for name in _step_kernel.arg_names}
        aligned = {(i,): [["tt.divisibility", 16]] for i, type in enumerate(signature.values()) if type != "constexpr"}
        source = ASTSource(_step_kernel, signature, sizes, aligned)
        print(triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options).metadata.shared)
    """
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", textwrap.dedent(program), dtype, capability, str(memory)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) <= memory


@needs_triton
@torch.inference_mode()
def test_half_precision_features_keep_depth_and_mask_in_float32():
    layer = random_layer(16, 5)
    guidance, depth, mask = random_inputs(1, 16, 9, 20)
    arguments = arguments_of(layer, guidance)
    result = step_of("triton", *arguments, features=torch.float16)(depth, mask)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, step_of("reference", *arguments)(depth, mask), rtol=1e-2, atol=1e-2)


class LargestTensor(TorchDispatchMode):
    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.bytes = max(self.bytes, result.untyped_storage().nbytes())
        return result


@torch.inference_mode()
def test_tiles_make_no_map_with_a_channel_per_tap():
    height, width, channels = 160, 320, 8
    layer = random_layer(channels, 13)
    guidance, depth, mask = random_inputs(1, channels, height, width)
    with LargestTensor() as largest:
        step_of("tiles", *arguments_of(layer, guidance))(depth, mask)
    assert 4 * channels * height * width <= largest.bytes <= 4 * 20 * height * width


@pytest.mark.parametrize("path", ["reference", "tiles"])
def test_gradients_are_those_of_the_numbers(path):
    layer = random_layer(2, 3, torch.float64)
    guidance, depth, mask = random_inputs(2, 2, 9, 4, torch.float64)
    mask = mask + 0.1
    inputs = [guidance, depth, mask, *(parameter.detach().clone() for parameter in layer.parameters())]

    def run(guidance, depth, mask, *parameters):
        names = [name for name, _ in layer.named_parameters()]
        values = dict(zip(names, parameters, strict=True))
        weight, bias = values["projection.weight"].flatten(1), values["projection.bias"]
        return step_of(path, guidance, weight, bias, values["position_bias"][0], 3)(depth, mask)

    inputs[0] = layer.normalised(guidance).detach()
    used = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(run, used, fast_mode=True)


def test_training_reaches_every_parameter():
    layer = random_layer(4, 5)
    guidance, depth, mask = random_inputs(1, 4, 12, 14)
    guidance.requires_grad_()
    refined, spread = layer(guidance, depth, depth * (mask > 0), mask, 2)
    (refined.square().sum() + spread.sum()).backward()
    for tensor in (guidance, *layer.parameters()):
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.any()


@torch.inference_mode()
def test_masked_keys_keep_the_weight_of_their_place():
    """A key of mask 0 has score 0 + bias, not minus infinity, so its depth still counts."""
    layer = random_layer(4, 3)
    guidance, depth, _ = random_inputs(1, 4, 3, 3)
    step = step_of("tiles", *arguments_of(layer, guidance))
    weights = layer.position_bias[0, 1:4, 1:4].flatten().softmax(0)
    refined = step(depth, torch.zeros_like(depth))[0, 0, 1, 1]
    torch.testing.assert_close(refined, weights @ depth.flatten())


@torch.inference_mode()
def test_measured_pixels_keep_their_mask_and_by_choice_their_depth():
    layer = random_layer(4, 5)
    guidance, depth, _ = random_inputs(1, 4, 8, 9)
    sparse_depth = torch.zeros_like(depth)
    sparse_depth[0, 0, 3, 4] = 7.0
    mask = torch.zeros_like(depth)
    mask[0, 0, 3, 4] = 0.8
    for keep in (False, True):
        refined, spread = layer(guidance, depth, sparse_depth, mask, 2, keep_measured=keep)
        assert (refined[0, 0, 3, 4] == 7.0) == keep
        assert spread[0, 0, 3, 4] == torch.tensor(0.8)
        assert (spread[0, 0, :8, :9] > 0).all()  # two steps of a window of 5 reach all of an 8x9 map
        assert 0 <= spread.min() <= spread.max() <= 0.8


@torch.inference_mode()
def test_blending_moves_a_pixel_as_far_as_its_mask_says():
    layer = random_layer(4, 5)
    guidance, depth, mask = random_inputs(1, 4, 8, 9)
    nothing = torch.zeros_like(depth)
    whole, _ = layer(guidance, depth, nothing, mask, 1)
    blended, _ = layer(guidance, depth, nothing, mask, 1, blend=True)
    torch.testing.assert_close(blended, mask * whole + (1 - mask) * depth)
    assert torch.equal(blended[mask == 0], depth[mask == 0])


def test_guidance_in_half_precision_is_used_in_float32():
    layer = random_layer(4, 5)
    guidance, depth, mask = random_inputs(1, 4, 8, 9)
    guidance = guidance.half()
    expected, _ = layer(guidance.float(), depth, depth, mask, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        refined, spread = layer(guidance, depth, depth, mask, 2)
    assert refined.dtype == spread.dtype == torch.float32
    assert torch.equal(refined, expected)
    refined, _ = layer.half()(guidance, depth, depth, mask, 2)
    assert refined.dtype == torch.float32
    torch.testing.assert_close(refined, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("points", "steps"), [(1, 88), (5, 39), (10, 28), (20, 20), (50, 13), (100, 9), (200, 6), (900, 6)]
)
def test_sparser_measurements_take_more_steps(points, steps):
    """The table of the authors' code for NYU's 228x304 pixels."""
    assert iteration_count(measured_points(points)) == steps


def test_the_sparsest_image_of_a_batch_decides():
    assert iteration_count(torch.cat([measured_points(900), measured_points(5), measured_points(50)])) == 39
    assert iteration_count(measured_points(900), minimum=9) == 9


def measured_points(count):
    measured = torch.zeros(1, 1, 228, 304, dtype=torch.bool)
    measured.view(-1)[torch.randperm(228 * 304)[:count]] = True
    return measured


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="image 1 of the batch has no measurement"):
        iteration_count(torch.cat([measured_points(3), measured_points(0)]))
    layer = MaskedPropagation(2, 13)
    tensors = random_inputs(1, 2, 12, 40)
    with pytest.raises(ValueError, match="at least 13x13 pixels, got 40x12"):
        layer(tensors[0], tensors[1], tensors[1], tensors[2], 1)
