"""Plugins are found one by one, and a broken one is named without taking the others with it."""

from __future__ import annotations

import json

import pytest

from calozoo.models.discovery import Discovery, canonical, discover
from calozoo_core.errors import PluginError

MODEL = """
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    def spec(name, **more):
        return ModelSpec(
            name=name,
            summary="A test.",
            factory="nowhere:Nothing",
            representation="x9",
            detector="ild_siecal_regular",
            conditions=Conditions(energy_gev=(1, 10)),
            license="MIT",
            **more,
        )
"""


def plugin(body: str) -> str:
    """A plugin module whose hook has this body."""
    return f"{MODEL}\n    @hookimpl\n    def register_models(register):\n        {body}\n"


def look(site, **environ) -> Discovery:
    return discover(site.entry_points(), environ)


def test_a_plugin_that_cannot_be_imported_is_named_and_the_others_work(site):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    site.install("zoo-good", "0.3", "zoo_good", plugin('register(spec("good.one"))'))

    found = look(site)

    assert [(r.spec.name, r.distribution, r.version) for r in found.models.values()] == [
        ("good.one", "zoo-good", "0.3")
    ]
    (failure,) = found.failures
    assert (failure.entry_point, failure.distribution, failure.version) == (
        "zoo_bad",
        "zoo-bad",
        "1.2",
    )
    assert isinstance(failure.error, ModuleNotFoundError)
    assert str(failure) == (
        "plugin zoo-bad 1.2 is not used: ModuleNotFoundError: No module named 'no_such_module'"
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('raise OSError("no\\n  disk")', "OSError: no disk"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ('register({"name": "bad.one"})', "it registers a dict where a ModelSpec belongs."),
        ('register(spec("Bad One"))', "its ModelSpec is not valid: name: String should match"),
        (
            'register(spec("bad.one", plugin_api=99))',
            (
                "bad.one was written for plugin API 99, and this calozoo speaks 1; "
                "type `pip install --upgrade calozoo calozoo-core`."
            ),
        ),
        (
            'register(spec("bad.one", plugin_api=0))',
            (
                "bad.one was written for plugin API 0, and this calozoo speaks 1; "
                "type `pip install --upgrade zoo-bad`."
            ),
        ),
    ],
)
def test_a_plugin_whose_hook_fails_is_named_and_the_others_work(site, body, reason):
    site.install("zoo-bad", "1.2", "a_bad", plugin(body))
    site.install("zoo-good", "0.3", "b_good", plugin('register(spec("good.one"))'))

    found = look(site)

    assert list(found.models) == ["good.one"]
    assert [failure.distribution for failure in found.failures] == ["zoo-bad"]
    assert found.failures[0].reason.startswith(reason)


def test_what_a_plugin_registered_before_it_failed_stays(site):
    body = 'register(spec("half.one")); register(spec("half.one"))'
    site.install("zoo-half", "1", "zoo_half", plugin(body))

    found = look(site)

    assert list(found.models) == ["half.one"]
    assert found.failures[0].reason == "it registers half.one twice."


def test_a_hook_that_nobody_knows_is_reported(site):
    site.install("zoo-typo", "1", "zoo_typo", plugin("pass").replace("register_models", "models"))
    site.install("zoo-good", "1", "zoo_good", plugin('register(spec("good.one"))'))

    found = look(site)

    assert list(found.models) == ["good.one"]
    assert "unknown hook 'models'" in found.failures[0].reason


def test_a_hook_with_an_argument_that_nobody_passes_is_reported(site):
    site.install("zoo-typo", "1", "zoo_typo", plugin("pass").replace("(register)", "(registrar)"))

    assert "registrar" in look(site).failures[0].reason


WRAPPER = """
    from calozoo_core.hookspecs import hookimpl
    from calozoo_core.wrappers import WrapperSpec

    @hookimpl
    def register_wrappers(register):
        register(WrapperSpec(suffix="+half", summary="half as bright.", factory="half:Half"))
"""


def test_a_wrapper_is_found_by_its_suffix(site):
    site.install("zoo-half", "1", "zoo_half", WRAPPER)

    found = look(site)

    assert found.wrappers["+half"].factory == "half:Half"
    assert not found.failures
    assert [plugin.hooks for plugin in found.plugins] == [("register_wrappers",)]


def test_the_second_wrapper_with_a_suffix_is_refused(site):
    site.install("zoo-half", "1", "a_half", WRAPPER)
    site.install("zoo-other", "1", "b_half", WRAPPER.replace("half:", "other:"))

    found = look(site)

    assert found.wrappers["+half"].factory == "half:Half"
    (failure,) = found.failures
    assert failure.distribution == "zoo-other"
    assert failure.reason == (
        "another wrapper has the suffix +half already; uninstall one of them."
    )


@pytest.mark.parametrize(
    ("registered", "reason"),
    [
        ('register("+half")', "it registers a str where a WrapperSpec belongs."),
        (
            'register(WrapperSpec(suffix="+b", summary="b.", factory="b:B", plugin_api=99))',
            "the wrapper +b was written for plugin API 99",
        ),
    ],
)
def test_a_wrapper_that_does_not_fit_is_refused(site, registered, reason):
    line = next(line for line in WRAPPER.splitlines() if "        register(" in line)
    site.install("zoo-bad", "1", "zoo_bad", WRAPPER.replace(line.strip(), registered))

    found = look(site)

    assert not found.wrappers
    assert found.failures[0].reason.startswith(reason)


def test_a_name_that_two_distributions_claim_goes_to_neither_and_both_are_named(site):
    site.install("zoo-a", "1", "zoo_a", plugin('register(spec("same.tag"))'))
    site.install("zoo-b", "2", "zoo_b", plugin('register(spec("same.tag"))'))
    site.install("zoo-c", "3", "zoo_c", plugin('register(spec("other.tag"))'))

    found = look(site)

    assert list(found.models) == ["other.tag"]
    assert [claim.distribution for claim in found.conflicts["same.tag"]] == ["zoo-a", "zoo-b"]
    assert {failure.distribution for failure in found.failures} == {"zoo-a", "zoo-b"}
    assert all(
        failure.reason == "same.tag is claimed by zoo-a 1 and zoo-b 2; uninstall one of them."
        for failure in found.failures
    )


def test_a_plugin_of_two_entry_points_of_one_module_registers_once(site):
    site.install("zoo-two", "1", "zoo_two", plugin('register(spec("two.one"))'))
    entries = site.folder / "zoo_two-1.dist-info" / "entry_points.txt"
    entries.write_text("[calozoo]\na = zoo_two\nb = zoo_two\n")

    found = look(site)

    assert list(found.models) == ["two.one"]
    assert [failure.entry_point for failure in found.failures] == ["b"]


@pytest.mark.parametrize(
    ("chosen", "loaded"),
    [
        (None, ["a.x", "b.x"]),
        ("", []),
        ("zoo-b", ["b.x"]),
        ("zoo.b, Zoo_A", ["a.x", "b.x"]),
    ],
)
def test_the_environment_chooses_which_distributions_are_loaded(site, chosen, loaded):
    site.install("zoo-a", "1", "zoo_a", plugin('register(spec("a.x"))'))
    site.install("Zoo_B", "1", "zoo_b", plugin('register(spec("b.x"))'))

    found = look(site, **({} if chosen is None else {"CALOZOO_LOAD_PLUGINS": chosen}))

    assert sorted(found.models) == loaded
    assert not found.failures


def test_choosing_a_distribution_that_is_not_there_is_reported(site):
    (failure,) = look(site, CALOZOO_LOAD_PLUGINS="zoo-none").failures

    assert failure.distribution == "zoo-none"
    assert "no such plugin is installed" in failure.reason


def test_strict_raises_what_the_plugin_raises(site):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")

    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        look(site, CALOZOO_STRICT_PLUGINS="1")


def test_strict_raises_for_a_name_claimed_twice(site):
    site.install("zoo-a", "1", "zoo_a", plugin('register(spec("same.tag"))'))
    site.install("zoo-b", "2", "zoo_b", plugin('register(spec("same.tag"))'))

    with pytest.raises(PluginError, match="zoo-a 1 and zoo-b 2"):
        look(site, CALOZOO_STRICT_PLUGINS="1")


def test_a_distribution_without_metadata_is_reported_under_its_entry_points_name(site):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    (site.folder / "zoo_bad-1.2.dist-info" / "METADATA").unlink()

    (failure,) = look(site).failures

    assert (failure.distribution, failure.version) == ("zoo_bad", "")


def test_all_spellings_of_a_distribution_are_one():
    assert canonical("Calozoo_Toy") == canonical("calozoo.toy") == canonical("calozoo--toy")


def test_commands_work_beside_a_broken_plugin_and_say_so_in_one_line(site, calozoo):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    site.install("zoo-good", "0.3", "zoo_good", plugin('register(spec("good.one"))'))
    environ = {"PYTHONPATH": str(site.folder)}

    listed = calozoo("list", **environ)

    assert listed.returncode == 0
    assert "good.one" in listed.stdout
    assert "toy.ild-photon" in listed.stdout
    assert listed.stderr == (
        "calozoo: plugin zoo-bad 1.2 is not used: "
        "ModuleNotFoundError: No module named 'no_such_module'\n"
    )


def test_plugins_shows_what_is_broken_with_its_version_and_reason(site, calozoo):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    site.install("zoo-good", "0.3", "zoo_good", plugin('register(spec("good.one"))'))
    environ = {"PYTHONPATH": str(site.folder), "CALOZOO_LOAD_PLUGINS": "zoo-bad,zoo-good"}

    shown = calozoo("plugins", "--json", **environ)

    assert (shown.returncode, shown.stderr) == (0, "")
    rows = json.loads(shown.stdout)
    assert {row["distribution"] for row in rows if row["left_out"]} >= {"calozoo-toy"}
    assert [row for row in rows if not row["left_out"]] == [
        {
            "distribution": "zoo-bad",
            "version": "1.2",
            "plugin_api": [],
            "hooks": [],
            "models": [],
            "left_out": False,
            "errors": [
                {
                    "entry_point": "zoo_bad",
                    "error": "ModuleNotFoundError: No module named 'no_such_module'",
                    "advice": "type `pip install --upgrade zoo-bad`, or `pip uninstall zoo-bad`",
                }
            ],
        },
        {
            "distribution": "zoo-good",
            "version": "0.3",
            "plugin_api": [1],
            "hooks": ["register_models"],
            "models": ["good.one"],
            "left_out": False,
            "errors": [],
        },
    ]


def test_plugins_says_what_to_type_for_what_is_broken_too_new_or_left_out(site, typed):
    site.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    site.install("zoo-new", "2", "zoo_new", plugin('register(spec("new.one", plugin_api=99))'))
    site.install("zoo-out", "3", "zoo_out", plugin('register(spec("out.one"))'))
    site.install("zoo-good", "0.3", "zoo_good", plugin('register(spec("good.one"))'))
    code, shown, told = typed("plugins", CALOZOO_LOAD_PLUGINS="zoo-bad,zoo-new,zoo-good")

    rows = {line.split()[0]: line for line in shown.splitlines() if line}
    assert (code, told) == (0, "")
    assert rows["zoo-good"].split() == ["zoo-good", "0.3", "1", "register_models", "good.one"]
    assert "left out by CALOZOO_LOAD_PLUGINS; add zoo-out to it, or unset it" in shown
    assert "type `pip install --upgrade zoo-bad`, or `pip uninstall zoo-bad`" in shown
    assert "zoo-new is not used: new.one was written for plugin API 99" in shown
    assert "type `pip install --upgrade calozoo calozoo-core`" in shown


def test_loading_a_name_claimed_twice_is_an_error_that_names_both(site, calozoo):
    for name in ("zoo-a", "zoo-b"):
        module = name.replace("-", "_")
        site.install(name, "1", module, plugin('register(spec("same.tag"))'))
    environ = {"PYTHONPATH": str(site.folder)}

    shown = calozoo("info", "same", **environ)
    listed = calozoo("list", **environ)

    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1] == (
        "calozoo: same.tag is claimed by zoo-a 1 and zoo-b 1; uninstall one of them."
    )
    assert listed.returncode == 0
    assert "toy.ild-photon" in listed.stdout
    assert "same.tag" not in listed.stdout
