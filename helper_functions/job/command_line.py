"""The command line, which overrides the settings block of main_clustering.py."""

import argparse
import shlex

from helper_functions.job.setting_values import UNSET, as_list
from helper_functions.job.settings import SETTINGS, check_settings
from helper_functions.survey.selection import ALL

NOT_REPEATED = ("galaxies", "jobs", "scheduler", "check", "dry_run", "overwrite")  # when a single galaxy is made again


def read_command_line(defaults, arguments=None):
    """Settings from the command line, checked.

    Parameters
    ----------
    defaults : Settings
        From the settings block.
    arguments : list of str or None
        Arguments instead of those of the command line.

    Returns
    -------
    Settings

    Raises
    ------
    ValueError
        For an invalid value, with the setting and the allowed values.
    SystemExit
        From argparse, for unknown flags or missing values, and for --help.
    """
    given = vars(argument_parser().parse_args(arguments))
    given = {name: value for name, value in given.items() if value is not None}
    if "select" in given and "id_dr3_list" not in given:
        given["id_dr3_list"] = ALL
    return check_settings(defaults.changed(**given))


def argument_parser():
    """Parser of the command line, with a flag for each setting; flags that are not given are None."""
    parser = argparse.ArgumentParser(
        prog="main_clustering.py",
        description="Cluster the pixels of galaxies by the shape of their SEDs. A flag overrides the settings block; "
        f"the word {UNSET} unsets a setting.",
    )
    for name, setting in SETTINGS.items():
        names = f" ({', '.join(setting.names)})" if setting.names else ""
        how = {"dest": name, "default": None, "help": (setting.meaning + names).replace("%", "%%")}
        if setting.is_switch:
            how["action"] = argparse.BooleanOptionalAction
        else:
            how |= {"metavar": setting.metavar or name.upper(), "nargs": setting.nargs}
        parser.add_argument(command_line_flag(name), **how)
    return parser


def command_line_flag(name):
    """Flag of a setting on the command line."""
    return SETTINGS[name].flag or f"--{name.replace('_', '-')}"


def command_line(settings, id_dr3, **others):
    """The command that makes the results of one galaxy again, with a flag for each setting that is not the default.

    Parameters
    ----------
    settings : Settings
    id_dr3 : int
    **others
        Settings that override those of `settings`.
    """
    values = settings.as_dict() | {"id_dr3_list": [id_dr3], "select": None} | others
    words = ["python", "main_clustering.py"]
    for name, value in values.items():
        flag = command_line_flag(name)
        if name in NOT_REPEATED or as_list(value) == as_list(SETTINGS[name].default):
            continue
        if SETTINGS[name].is_switch:
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif name == "fit_priors":
            words += [flag, *(f"{prior}={low:g},{high:g}" for prior, (low, high) in value.items())]
        elif isinstance(value, dict):
            words += [flag, *(f"{key}={each}" for key, each in value.items())]
        else:
            words += [flag, *(UNSET if each is None else str(each) for each in as_list(value))]
    return shlex.join(words)
