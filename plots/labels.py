"""Names and units of quantities in pictures and on pages."""

from typing import NamedTuple


class Label(NamedTuple):
    """Name, unit and scale with which a quantity is shown."""

    name: str
    unit: str = ""  # of the values as they are shown
    scale: float = 1.0  # number of units of the tables in one of these
    is_log: bool = False  # whether maps show its logarithm


MASS, RATE, FLUX, WIDTH = "M⊙", "M⊙ yr⁻¹", "10⁻²⁰ erg s⁻¹ cm⁻²", "Å"
LINES = {
    "oiii_hbeta": "[OIII] + Hβ",
    "halpha_nii": "Hα + [NII]",
    "paschen_beta": "Paβ",
    "paschen_alpha": "Paα",
}
LAWS = {"calzetti": "Calzetti", "smc": "SMC"}
LABELS = {
    "mass": Label("stellar mass", MASS, is_log=True),
    "mass_formed": Label("mass formed", MASS, is_log=True),
    "sfr": Label("SFR", RATE, is_log=True),
    "ssfr": Label("sSFR", "yr⁻¹", is_log=True),
    "age": Label("age", "Gyr"),
    "a_v": Label("A_V", "mag"),
    "metallicity": Label("metallicity", "Z⊙"),
    "log_u": Label("log U"),
    "redshift": Label("redshift"),
    "mass_ratio": Label("stellar mass, sum of regions over integrated light"),
    "sfr_ratio": Label("SFR, sum of regions over integrated light"),
    "beta": Label("UV slope β"),
    "balmer_break": Label("Balmer break"),
    "d4000": Label("D4000"),
    "u_v": Label("U − V, rest frame", "AB mag"),
    "v_j": Label("V − J, rest frame", "AB mag"),
    **{f"ew_{line}": Label(f"EW of {name}, rest frame", WIDTH) for line, name in LINES.items()},
    **{f"flux_{line}": Label(f"flux of {name}", FLUX, 1e-20) for line, name in LINES.items()},
    **{
        f"{kind}_{line}_{law}": Label(f"{name} from Hα and {LINES[line]}, {LAWS[law]}", unit, is_log=is_log)
        for line in ("paschen_beta", "paschen_alpha")
        for law in LAWS
        for kind, name, unit, is_log in (("a_v", "A_V of lines", "mag", False), ("sfr", "SFR", RATE, True))
    },
}


def label_of(name, unit=""):
    """`Label` of a column; for a column that is not in LABELS, its name and the given unit."""
    return LABELS.get(name, Label(name, str(unit or "")))


def in_mathtext(name):
    """Name for matplotlib, with A_V as a formula."""
    return name.replace("A_V", "$A_V$")
