"""`python -m training RECIPE ...`: see cli.py."""

from training.cli import main
from training.orphan import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    raise SystemExit(main())
