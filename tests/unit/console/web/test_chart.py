"""Bars: as high as their numbers, never out of the drawing, and lines at round ones."""

import pytest

from linekey.console.web.chart import BOTTOM, HEIGHT, NARROW, WIDTH, bars_of


def hours(*granted: int) -> list[dict[str, object]]:
    return [{"at": f"h{n}", "granted": g, "refused": g} for n, g in enumerate(granted)]


def test_numbers_are_stacked() -> None:
    chart = bars_of(hours(10, 0, 20), ("granted", "refused"))
    assert [bar.kind for bar in chart.bars] == ["granted", "refused"] * 2
    first, second = chart.bars[:2]
    assert first.y + first.height == pytest.approx(HEIGHT - BOTTOM, abs=0.2)
    assert second.y + second.height == pytest.approx(first.y, abs=0.2)
    assert chart.bars[2].height == pytest.approx(2 * first.height, abs=0.2)
    assert [number for _, number in chart.lines] == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("width", [WIDTH, NARROW])
@pytest.mark.parametrize("numbers", [(), (0, 0), (1,), (1, 10**9), tuple(range(200))])
def test_all_of_it_is_in_the_drawing(numbers: tuple[int, ...], width: int) -> None:
    chart = bars_of(hours(*numbers), ("granted", "refused"), width)
    assert 2 <= len(chart.lines) <= 6
    assert len(chart.names) <= 16
    for bar in chart.bars:
        assert bar.y >= 0
        assert bar.x + bar.width <= width
