"""Style of all plots, and how pictures are written: readable in a paper of two columns."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo_core.errors import CalozooError, InputError, ShowerFileError
from calozoo_core.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BAND",
    "COLOURS",
    "FILL",
    "OUTLINE",
    "SUFFIXES",
    "check_folder",
    "check_picture",
    "save_picture",
]

SUFFIXES = (".png", ".pdf", ".svg")

STYLE: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 7.5,
    "axes.linewidth": 0.7,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 1.4,
    "mathtext.fontset": "dejavusans",
    "savefig.dpi": 200,
}

FILL, OUTLINE, BAND = "#d4d4d4", "#8a8a8a", "#9a9a9a"
"""Of Geant4: the filled histogram, its outline, and the band of its errors."""

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Of models, the strongest first; readers with colour blindness can distinguish them."""


def check_picture(picture: Path) -> None:
    """Refuse a picture that cannot be drawn, before the showers are read.

    Raises:
        CalozooError: If matplotlib is not installed.
        InputError: If the suffix is none of `.png`, `.pdf` and `.svg`, or there is no such folder.
    """
    if picture.suffix not in SUFFIXES:
        msg = f"A picture is {', '.join(SUFFIXES)}; {picture} is none of these."
        raise InputError(msg)
    if not picture.parent.is_dir():
        msg = f"There is no folder {picture.parent}; make it, or draw elsewhere."
        raise InputError(msg)
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        msg = "Drawing needs matplotlib; `pip install 'calozoo[plot]'` brings it."
        raise CalozooError(msg) from error


def check_folder(folder: Path) -> None:
    """Refuse a folder of pictures that cannot be drawn, before the showers are read.

    Raises:
        CalozooError: If a library is not installed, or there is no folder for the folder.
    """
    try:
        import matplotlib  # noqa: F401
        import mplhep  # noqa: F401
    except ImportError as error:
        msg = "Drawing needs matplotlib and mplhep; `pip install 'calozoo[plot]'` brings them."
        raise CalozooError(msg) from error
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; give the name of a folder."
        raise CalozooError(msg)
    if not folder.parent.is_dir():
        msg = f"There is no folder {folder.parent}; make it, or draw elsewhere."
        raise CalozooError(msg)


def save_picture(picture: Path, draw: Callable[[], Figure], *, description: str = "") -> Path:
    """Draw a figure in the style of all plots, and write it whole or not at all.

    Arguments:
        picture: `.png`, `.pdf` or `.svg`; replaced if it is there.
        draw: Makes the figure.
        description: Text that the picture carries with it.

    Returns:
        The picture.

    Raises:
        ShowerFileError: If it cannot be written.
    """
    from matplotlib import rc_context

    try:
        with rc_context(STYLE), atomic_path(picture) as part:
            suffix = picture.suffix[1:]
            field = "Subject" if suffix == "pdf" else "Description"
            metadata = {field: description} if description else None
            drawn = BytesIO()  # matplotlib's own writers do not survive a full disk
            draw().savefig(drawn, format=suffix, metadata=metadata)
            part.write_bytes(drawn.getbuffer())
    except OSError as error:
        msg = f"{picture} cannot be written: {str(error.strerror).lower()}."
        raise ShowerFileError(msg) from error
    return picture
