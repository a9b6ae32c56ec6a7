"""Names lead to models, and wrong ones to the nearest."""

from __future__ import annotations

import logging
from importlib.resources import files as resources
from pathlib import Path

import pytest

import calozoo
from calozoo.models import discovery
from calozoo.models import index as index_module
from calozoo.models import names as model_names
from calozoo.models.index import IndexEntry
from calozoo.models.names import find_fitter
from calozoo_core.errors import HubError, InputError, ModelNameError, PluginError
from calozoo_core.weights import WEIGHT_FILES

PLUGIN = """
    from calozoo_core.generator import Conditions, Generator, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    class Recorder(Generator):
        @classmethod
        def load(cls, spec, folder, *, device="cpu", precision=None):
            generator = cls(spec)
            generator.folder, generator.options = folder, (device, precision)
            return generator

        def sample(self, incident, seed, first):
            raise NotImplementedError

    class Fed(Recorder):
        @classmethod
        def load(cls, spec, folder, *, device="cpu", precision=None, source=None):
            generator = cls(spec)
            generator.source = source
            return generator

    class Simulation(Recorder):
        @classmethod
        def load(cls, spec, folder, *, device="cpu", precision=None, workers=1, detector=None):
            generator = cls(spec)
            generator.workers, generator.detector = workers, detector
            return generator

    def spec(name, factory="zoo_names:Recorder", weights=None, source=None, aliases=()):
        return ModelSpec(
            name=name, aliases=aliases, summary="A test.", factory=factory,
            representation="x9", weights=weights, detector="ild_siecal_regular",
            conditions=Conditions(energy_gev=(1, 10)), license="MIT", source=source,
        )

    @hookimpl
    def register_models(register):
        register(spec("arch.zeta"))
        register(spec("arch.alpha", weights="zoo_weights:tag"))
        register(spec("lost.module", factory="no_such_module:Model"))
        register(spec("lost.class", factory="zoo_names:NoSuchClass"))
        register(spec("lost.generator", factory="zoo_names:spec"))
        register(spec("fed.model", factory="zoo_names:Fed", source="simulation.full"))
        register(spec("fed.twice", factory="zoo_names:Fed", source="fed.model"))
        register(spec("simulation.full", factory="zoo_names:Simulation"))
        register(spec("3net.one", aliases=("net3", "arch")))
        register(spec("3net.two"))
"""


@pytest.fixture(autouse=True)
def _look_again(monkeypatch):
    """What one test finds is not what the next one finds."""
    discovery.forget()
    index_module.forget()
    yield
    discovery.forget()
    index_module.forget()


@pytest.fixture
def names(site, monkeypatch):
    """A plugin with several tags, alone."""
    site.install("zoo-names", "1.0", "zoo_names", PLUGIN)
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "zoo-names")
    return site


def listed(pattern: str | None = None) -> list[str]:
    return [spec.name for spec in calozoo.list_models(pattern)]


def test_models_are_listed_by_name(names):
    assert listed() == sorted(listed())
    assert listed("arch.*") == listed("arch") == ["arch.alpha", "arch.zeta"]
    assert listed("*.module") == ["lost.module"]
    assert listed("ARCH*") == []


def test_a_bare_architecture_means_the_tag_registered_first(names):
    assert calozoo.find_model("arch").name == "arch.zeta"
    assert calozoo.find_model("arch.alpha").name == "arch.alpha"


@pytest.mark.parametrize("name", ["3net", "3net.one", "net3", "net3.one"])
def test_an_alias_leads_to_the_architecture_even_if_that_begins_with_a_digit(names, name):
    assert calozoo.find_model(name).name == "3net.one"


def test_an_alias_takes_a_tag(names):
    assert calozoo.find_model("net3.two").name == "3net.two"
    assert listed("net3") == ["3net.one", "3net.two"]
    assert listed("net3.*o") == ["3net.two"]


def test_an_alias_never_hides_a_model_of_that_name(names):
    assert calozoo.find_model("arch").name == "arch.zeta"
    assert listed("arch") == ["arch.alpha", "arch.zeta"]


def test_an_alias_of_a_model_that_is_not_installed_says_what_to_install(names, monkeypatch):
    absent = IndexEntry(
        name="9net.tag", aliases=("net9",), summary="Elsewhere.", distribution="calozoo-net9"
    )
    monkeypatch.setattr(model_names, "read_index", lambda: {absent.name: absent})
    with pytest.raises(ModelNameError, match="pip install calozoo-net9"):
        calozoo.find_model("net9")


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("calocluds3", "caloclouds3"),
        ("CaloClouds3", "caloclouds3"),
        ("arhc", "arch"),
        ("arch.alhpa", "arch.alpha"),
        ("arhc.something", "arch"),
    ],
)
def test_a_wrong_name_leads_to_the_nearest(names, wrong, nearest):
    message = (
        f"no model named '{wrong}'. Did you mean '{nearest}'? `calozoo list` shows all models."
    )

    with pytest.raises(ModelNameError) as caught:
        calozoo.find_model(wrong)

    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_a_name_near_to_none_suggests_none(names):
    with pytest.raises(ModelNameError, match=r"^no model named 'qqq'. `calozoo list` shows"):
        calozoo.find_model("qqq")


@pytest.mark.parametrize("name", ["toy", "toy.ild-photon"])
def test_a_known_model_that_is_not_installed_says_what_to_install(names, name):
    with pytest.raises(ModelNameError) as caught:
        calozoo.find_model(name)

    assert str(caught.value) == "toy.ild-photon is not installed; type `pip install calozoo-toy`."


def test_a_name_that_may_be_a_broken_plugins_says_so(names, monkeypatch):
    names.install("zoo-bad", "1.2", "zoo_bad", "import no_such_module")
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "zoo-bad")

    with pytest.raises(ModelNameError, match=r"not used: zoo-bad; `calozoo plugins` says why"):
        calozoo.find_model("bad")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lost.module", "importing no_such_module:Model failed: No module named 'no_such_module'"),
        ("lost.class", "importing zoo_names:NoSuchClass failed: module 'zoo_names' has no"),
        ("lost.generator", "zoo_names:spec is no Generator class"),
    ],
)
def test_code_that_cannot_be_imported_is_an_error_of_the_plugin(names, name, reason):
    with pytest.raises(PluginError, match=f"^{name} cannot be loaded, since {reason}"):
        calozoo.load(name)


def test_a_model_without_weights_loads_without_a_folder(names):
    generator = calozoo.load("arch", device="cuda", precision="bfloat16")

    assert generator.folder is None
    assert generator.options == ("cuda", "bfloat16")


def test_a_folder_given_is_the_folder_used(names, tmp_path):
    assert calozoo.load("arch.alpha", weights=tmp_path).folder == tmp_path


def test_a_folder_and_a_revision_are_one_too_many(names, tmp_path):
    with pytest.raises(InputError, match="leave out '@v1'"):
        calozoo.load("arch.alpha@v1", weights=tmp_path)


def test_a_revision_of_a_model_without_repository_is_refused(names):
    with pytest.raises(HubError, match=r"arch.zeta has no repository on the Hub"):
        calozoo.load("arch.zeta@v1")


def test_a_model_gets_the_options_it_takes(names):
    from calozoo_core.detector import load_detector

    plain = calozoo.load("simulation")
    told = calozoo.load("simulation", workers=3, detector="ild_siecal_regular")

    assert (plain.workers, plain.detector) == (1, None)
    assert (told.workers, told.detector.name) == (3, "ild_siecal_regular")
    own = load_detector("ild_siecal_regular")
    assert calozoo.load("simulation", detector=own).detector is own


def test_a_detector_may_be_a_file(names, tmp_path):
    text = (resources("calozoo_core") / "detectors" / "ild_siecal_regular.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)

    assert calozoo.load("simulation", detector=tmp_path / "mine.toml").detector.name == "mine"


@pytest.mark.parametrize("option", ["workers", "detector", "source", "colour"])
def test_an_option_that_a_model_does_not_take_is_refused(names, option):
    with pytest.raises(InputError) as refusal:
        calozoo.load("arch", **{option: "ild_siecal_regular"})

    assert str(refusal.value) == f"arch.zeta does not take {option}; leave it out."


def test_a_model_is_fed_by_the_one_its_spec_names(names):
    generator = calozoo.load("fed", workers=4)

    assert generator.source.spec.name == "simulation.full"
    assert generator.source.workers == 4
    assert calozoo.load("fed.twice", workers=5).source.source.workers == 5


def test_a_model_is_fed_by_another_that_is_asked_for(names):
    source = calozoo.load("arch")

    assert calozoo.load("fed", source="arch").source.spec.name == "arch.zeta"
    assert calozoo.load("fed", source=source).source is source
    with pytest.raises(InputError, match=r"^arch\.zeta does not take workers"):
        calozoo.load("fed", source="arch", workers=2)
    with pytest.raises(ModelNameError, match=r"no model named .acrh.\. Did you mean 'arch'"):
        calozoo.load("fed", source="acrh")


@pytest.mark.parametrize("source", ["lib.h5", "folder/lib.hdf5", Path("lib.h5")])
def test_a_model_is_fed_by_a_file(names, source):
    assert calozoo.load("fed", source=source).source == Path(source)
    with pytest.raises(InputError, match=r"lib\.h\w+ is a file, which needs no workers; leave"):
        calozoo.load("fed", source=source, workers=2)


def test_a_source_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-optimum")

    with pytest.raises(ModelNameError, match="type `pip install calozoo-geant4`"):
        calozoo.load("optimum")


def test_a_wrapper_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-toy")

    with pytest.raises(ModelNameError) as missing:
        calozoo.load("toy+refined", weights="refined")
    assert str(missing.value) == (
        "toy.ild-photon+refined is not installed; type `pip install calozoo-refine`."
    )
    with pytest.raises(ModelNameError, match=r"wrapper \+refined .* `pip install calozoo-refine`"):
        find_fitter("+refined")


def test_a_fitter_that_cannot_be_imported_is_named(site, monkeypatch):
    site.install(
        "zoo-half",
        "1",
        "zoo_half",
        """
    from calozoo_core.hookspecs import hookimpl
    from calozoo_core.wrappers import WrapperSpec

    @hookimpl
    def register_wrappers(register):
        register(WrapperSpec(suffix="+half", summary="a.", factory="a:A", fitter="no_module:fit"))
""",
    )
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "zoo-half")
    discovery.forget()

    with pytest.raises(PluginError, match=r"\+half cannot be fitted, since .* no_module:fit"):
        find_fitter("+half")


def test_loading_says_when_older_weights_had_to_do(names, tmp_path, monkeypatch, caplog):
    package = names.folder / "zoo_weights" / "tag"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    for name in WEIGHT_FILES:
        (package / name).write_bytes(b"{}")
    digests = "".join(f'"{name}" = "{"0" * 64}"\n' for name in WEIGHT_FILES)
    (tmp_path / "new.toml").write_text(
        'name = "arch.alpha"\nsummary = "A test."\ndistribution = "zoo-names"\nversion = "2.0"\n'
        f'repo = "zoo/alpha"\nrevision = "{"a" * 40}"\n[sha256]\n{digests}'
    )
    monkeypatch.setenv("CALOZOO_INDEX", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))

    with caplog.at_level(logging.WARNING):
        generator = calozoo.load("arch.alpha", offline=True)

    assert generator.folder == package
    assert caplog.messages[-1].endswith("Using the weights bundled with zoo-names 1.0 instead.")


def test_the_toy_generates_from_one_line_of_python(monkeypatch):
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-toy")

    showers = calozoo.generate("toy", energy=50, direction=(0, 0, 1), n=3, seed=1)

    assert isinstance(showers, calozoo.Showers)
    assert len(showers) == 3


def test_every_public_name_is_there():
    assert all(getattr(calozoo, name) is not None for name in calozoo.__all__)
    assert set(calozoo.__all__) <= set(dir(calozoo))
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = calozoo.no_such_name


def test_split_revision_leaves_a_plain_name_alone():
    assert model_names.split_revision("a.b") == ("a.b", None)
    assert model_names.split_revision("a.b@refs/pr/1") == ("a.b", "refs/pr/1")


@pytest.mark.parametrize("name", ["caloclouds3", "geant4", "optimum", "caloinn"])
def test_a_bare_name_means_the_same_model_without_its_plugin(monkeypatch, name):
    first = calozoo.find_model(name).name
    monkeypatch.setenv("CALOZOO_LOAD_PLUGINS", "calozoo-toy")
    discovery.forget()

    with pytest.raises(ModelNameError, match=f"^{first} is not installed; type `pip install"):
        calozoo.find_model(name)
