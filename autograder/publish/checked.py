"""What `splot check` found, as a person reads it in the terminal."""

from rich.console import Console

from autograder.language import say
from autograder.notebook.check import Checked
from autograder.publish.terminal import plain, quoted


def print_check(checked: Checked, console: Console) -> None:
    """Print what is wrong with one notebook; a student's own words in them are shown harmlessly."""
    if checked.refusal is not None:
        console.print(plain(checked.refusal), soft_wrap=True)
        return
    fine = say(pl="nic nie wymaga naprawy.", en="nothing needs mending.")
    console.print(plain(f"{checked.path}: {'' if checked.damage else fine}".rstrip()), soft_wrap=True)
    for found in checked.damage:
        console.print(quoted(f"• {found}"))
