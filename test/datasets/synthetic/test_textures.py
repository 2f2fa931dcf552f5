import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic import textures
from depth_completion_ros.datasets.synthetic.materials import Material

SMOOTH = (
    Material.PLAIN,
    Material.CAR_PAINT,
    Material.PANE,
    Material.LAMP,
    Material.METAL,
    Material.MIRROR,
    Material.SCREEN,
)
TEXTURED = [m for m in Material if m not in SMOOTH]


def surface(material, pixel, count=20_000):
    uv = (
        np.random.default_rng(0)
        .uniform(0, 1 if material == Material.WINDOW else 40, (count, 2))
        .astype(np.float32)
    )
    kind = np.full(count, material, np.uint8)
    return textures.reflectance(
        kind, uv, np.full(count, pixel, np.float32), np.full((count, 3), 0.2, np.float32)
    )


@pytest.mark.parametrize("material", TEXTURED, ids=lambda m: m.name)
def test_reflectance_is_physical_and_has_texture(material):
    result = surface(material, pixel=0.002)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1
    assert result.std() > 0.002


def test_untextured_materials_keep_their_colour():
    np.testing.assert_array_equal(surface(Material.PLAIN, 0.01), np.float32(0.2))


@pytest.mark.parametrize("material", [Material.ASPHALT, Material.SLABS, Material.BRICK, Material.GRASS])
def test_detail_finer_than_a_pixel_is_averaged_out(material):
    near, far = surface(material, 0.002), surface(material, 1.0)
    assert far.std() < 0.7 * near.std()
    assert far.mean() == pytest.approx(near.mean(), rel=0.1)


@pytest.mark.parametrize("pixel", [0.001, 0.05, 0.3, 5.0])
def test_lines_cover_the_same_share_at_every_pixel_size(pixel):
    x = np.linspace(0, 10, 100_001, dtype=np.float32)[:-1]
    covered = textures._lines(x, 0.4, 0.1, np.full_like(x, pixel))
    assert covered.mean() == pytest.approx(0.25, abs=0.003)


def test_smooth_noise_is_continuous_across_cells_and_the_tile():
    x = np.arange(-3, 260, 0.001, dtype=np.float32)
    noise = textures._smooth(x, np.full_like(x, 0.4), 1.0)
    assert np.abs(np.diff(noise)).max() < 0.01
    assert np.ptp(noise) > 1
