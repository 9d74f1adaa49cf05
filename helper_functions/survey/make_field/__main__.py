"""Run the command line."""

import sys

from helper_functions.survey.make_field.command import main

if __name__ == "__main__":
    sys.exit(main())
