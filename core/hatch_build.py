"""Build of the compiled kernels of calozoo-core, where there is a compiler; else it has none."""

from __future__ import annotations

import re
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "calozoo_core.kernels"
MODULE = f"{PACKAGE}._compiled"
OLDEST = (3, 11)
"""Python whose stable interface the kernels use, so that one build serves all newer ones."""

# Products and sums are rounded one by one, as numpy's are: the same seeds give the same showers.
FLAGS = {
    "unix": ["-std=c11", "-O3", "-g0", "-ffp-contract=off"],
    "msvc": ["/std:c11", "/O2", "/fp:precise"],
}


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled kernels to the wheel, or to the folder of an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the kernels before a wheel is.

        Arguments:
            version: "standard" or "editable".
            build_data: What goes into the wheel; changed.
        """
        if self.target_name != "wheel":
            return
        self._scratch = Path(tempfile.mkdtemp())
        built = build(Path(self.root), self._scratch)
        if built is None:
            self.app.display_warning("No kernels could be compiled; numpy computes alone.")
            return
        place = Path(*PACKAGE.split("."), built.name)
        if version == "editable":
            # Renamed, since kernels that a process has loaded must not be written over.
            fresh = Path(self.root, place).with_suffix(".part")
            shutil.copyfile(built, fresh)
            fresh.replace(Path(self.root, place))
            return
        build_data["force_include"][str(built)] = place.as_posix()
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        # From macOS 11 on, pip knows tags of whole versions only.
        platform = re.sub(r"^macosx_(1[1-9]|[2-9]\d)_\d+_", r"macosx_\1_0_", platform)
        build_data["tag"] = f"cp{OLDEST[0]}{OLDEST[1]}-abi3-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built for the wheel."""
        if self.target_name == "wheel":
            shutil.rmtree(self._scratch, ignore_errors=True)


def build(root: Path, scratch: Path) -> Path | None:
    """Build the kernels.

    Arguments:
        root: Folder of the distribution.
        scratch: Folder for what comes out.

    Returns:
        The module; None if it could not be built here.
    """
    try:
        from setuptools import Distribution, Extension
        from setuptools.command.build_ext import build_ext
    except ImportError:
        return None

    class Build(build_ext):
        """Build with the flags of whichever compiler there is."""

        def build_extensions(self) -> None:
            for extension in self.extensions:
                extension.extra_compile_args = FLAGS.get(self.compiler.compiler_type, [])
            super().build_extensions()

    sources = sorted(root.joinpath(*PACKAGE.split(".")).glob("*.c"))
    extension = Extension(
        MODULE,
        [str(source) for source in sources],
        define_macros=[("Py_LIMITED_API", f"0x03{OLDEST[1]:02X}0000")],
        py_limited_api=True,
        optional=True,
    )
    distribution = Distribution({"name": "calozoo-core", "ext_modules": [extension]})
    command = Build(distribution)
    command.build_lib, command.build_temp = str(scratch / "lib"), str(scratch / "temp")
    command.ensure_finalized()
    command.run()
    built = sorted((scratch / "lib").joinpath(*PACKAGE.split(".")).glob("_compiled*"))
    return built[0] if built else None
