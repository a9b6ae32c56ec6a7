"""The leaderboard page in a browser: it can be read, chosen, sorted and printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from calozoo.cards.card import read_cards
from calozoo.cards.leaderboard_page import leaderboard_page

WIDE, NARROW = (1440, 900), (390, 844)
MEGABYTE = 1_000_000
SECOND_MS = 1000


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "leaderboard.html"
    path.write_text(leaderboard_page(read_cards(), lambda name: f"cards/{name}"), encoding="utf-8")
    return path


@pytest.fixture
def names() -> list[str]:
    return [one.spec.name for one in read_cards()]


def models(page) -> list[str]:
    return page.locator("#figures tbody th").all_inner_texts()


def test_page_is_small(board):
    assert board.stat().st_size < 2 * MEGABYTE


@pytest.mark.slow
def test_page_answers_within_a_second(visitor, board):
    times = []
    for _ in range(3):
        visit = visitor.open(board)
        visit.page.wait_for_selector("#overview svg")
        times.append(int(visit.page.get_attribute("html", "data-ready")))
    assert min(times) < SECOND_MS


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_page_shows_all_models_and_charts(visitor, board, names, size):
    visit = visitor.open(board, size)
    page = visit.page
    page.wait_for_selector("#charts svg")
    assert sorted(models(page)) == sorted(names)
    charts = page.locator("#charts figure")
    assert charts.count() == page.locator("#groups input:checked").count()
    page.locator("#charts svg").nth(charts.count() - 1).wait_for()
    assert page.locator("#overview svg").bounding_box()["width"] <= size[0]
    assert "Pareto front" in page.inner_text("#overview-text")
    assert page.locator("#measured article").count() == len(names)
    visit.check()


def test_a_heading_sorts_and_says_so(visitor, board):
    visit = visitor.open(board)
    page = visit.page
    button = page.locator("#figures thead button", has_text="model").first
    button.focus()
    page.keyboard.press("Enter")
    assert models(page) == sorted(models(page))
    page.keyboard.press("Enter")  # the heading has kept the focus
    assert models(page) == sorted(models(page), reverse=True)
    assert page.get_attribute("#figures thead th:first-child", "aria-sort") == "descending"
    time = page.locator("#figures thead th", has_text="a shower alone")
    time.locator("button").click()
    assert time.get_attribute("aria-sort") == "ascending"
    assert "the best first" in page.inner_text("#sorted")
    column = page.locator("#figures tbody td[data-label='a shower alone [ms]']").all_inner_texts()
    times = [float(text) for text in column if text != "–"]
    assert times == sorted(times)
    assert "–" not in column[: len(times)]  # what was not timed comes last
    visit.check()


@pytest.mark.slow
def test_models_and_figures_can_be_chosen(visitor, board, names):
    visit = visitor.open(board)
    page = visit.page
    page.get_by_label("toy.ild-photon", exact=True).uncheck()
    assert sorted(models(page)) == sorted(set(names) - {"toy.ild-photon"})
    page.click("#trained-models")
    trained = sorted(one.spec.name for one in read_cards() if one.spec.weights)
    assert sorted(models(page)) == trained
    page.click("#all-models")
    assert sorted(models(page)) == sorted(names)
    page.click("summary:has-text('Distributions of cells')")
    before = page.locator("#charts figure").count()
    page.get_by_label("longitudinal energy profile", exact=False).check()
    assert page.locator("#charts figure").count() == before + 1
    heads = page.locator("#figures thead").inner_text()
    assert "longitudinal energy profile" in heads
    page.select_option("#x-figure", "cost/batched_ms")
    page.wait_for_selector("#overview[aria-label*='a shower in a batch']")
    visit.check()


@pytest.mark.slow
def test_nothing_chosen_breaks_nothing(visitor, board):
    visit = visitor.open(board)
    page = visit.page
    for box in page.locator("#models input").all():
        box.uncheck()
    for box in page.locator("#groups fieldset").first.locator("input:checked").all()[::-1]:
        box.uncheck()
    assert models(page) == []
    assert "No chosen model" in page.inner_text("#overview")
    visit.check()


def test_values_within_the_noise_floor_are_grey_and_said_to_be(visitor, board):
    visit = visitor.open(board)
    within = visit.page.locator("#figures td.within")
    assert within.count() > 0
    assert "within the noise floor" in within.first.text_content()
    plain = visit.page.locator("#figures td:not(.within) .value").first
    colour = "(e) => getComputedStyle(e).color"
    assert within.first.evaluate(colour) != plain.evaluate(colour)


@pytest.mark.slow
def test_every_link_has_a_name_and_every_chart_a_description(visitor, board):
    page = visitor.open(board).page
    page.wait_for_selector("#charts svg")
    assert all(link.strip() for link in page.locator("a").all_inner_texts())
    for chart in page.locator("#charts .chart").all():
        assert len(chart.get_attribute("aria-label") or "") > 20
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, select')].filter((e) => !e.labels.length).length"
    )
    assert unnamed == 0


@pytest.mark.slow
def test_page_can_be_printed(visitor, board):
    page = visitor.open(board).page
    page.wait_for_selector("#charts svg")
    assert page.pdf(format="A4", landscape=True).startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator("#trained-models").is_visible()
    assert page.locator("#figures").is_visible()


@pytest.mark.slow
def test_the_table_is_reached_and_sorted_by_keys_alone(visitor, board):
    visit = visitor.open(board)
    page = visit.page
    page.wait_for_selector("#charts svg")
    focused = "document.activeElement.textContent.trim()"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Skip to the table"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == "model":
            break
    page.keyboard.press("Enter")
    assert models(page) == sorted(models(page))
    assert page.inner_text("#sorted") == "Sorted by name"  # a live region: it is read out
    visit.check()


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_screen_reader_finds_a_table_with_headings(visitor, board, names, size):
    page = visitor.open(board, size).page
    page.wait_for_selector("#charts svg")
    table = page.locator("#figures").aria_snapshot()
    assert table.startswith('- table "Chosen figures of the chosen models"')
    assert 'columnheader "AUC, all features"' in table
    for name in names:
        assert f'rowheader "{name}"' in table
    whole = page.locator("main").aria_snapshot()
    for heading in ("Speed against fidelity", "Figures", "How each row was measured"):
        assert f'heading "{heading}" [level=2]' in whole
    assert "Pareto front" in whole
