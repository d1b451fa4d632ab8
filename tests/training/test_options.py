"""A recipe's numbers: presets, ranges, and what a person may write."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from training.errors import TrainingError
from training.machine import Machine
from training.options import option, options_of, restated, settle, written_settings


@dataclass(frozen=True)
class Numbers(Machine):
    batch: int = option(5, "images a step", section="4.1", light=16, minimum=1, maximum=64)
    rate: float = option(1e-3, "learning rate", minimum=0)
    scales: tuple[float, ...] = option((1.0,), "sizes", light=(0.5, 1.0), minimum=0.1)
    crop: str = option("whole", "how", choices=("whole", "area"))
    flip: bool = option(True, "mirror", scenes=False)
    dilations: tuple[int, ...] = option((5, 7, 12), "of kernels", scenes=(2,), minimum=1)


@dataclass(frozen=True)
class OfAnotherPaper(Numbers):
    own: int = option(1, "its own")
    batch: int = restated(Numbers, "batch", 8, "5.2", scenes=4)


def known(settings: type = Numbers) -> dict:
    return {each.name: each for each in options_of(settings)}


def test_the_plain_defaults_are_the_papers():
    assert Numbers() == settle(Numbers, "paper", {})


def test_a_preset_overrides_only_its_own_numbers():
    light = settle(Numbers, "light", {})
    assert (light.batch, light.scales, light.rate, light.flip) == (16, (0.5, 1.0), 1e-3, True)
    assert settle(Numbers, "scenes", {}).flip is False


def test_what_is_given_wins_over_the_preset():
    assert settle(Numbers, "light", {"batch": 7}).batch == 7


def test_settings_cannot_be_changed_while_a_run_lives():
    with pytest.raises(FrozenInstanceError):
        settle(Numbers, "paper", {}).batch = 3


def test_a_recipes_own_options_come_before_the_shared_ones():
    names = [each.name for each in options_of(Numbers)]
    assert names[:6] == ["batch", "rate", "scales", "crop", "flip", "dilations"]
    assert names[6:] == [each.name for each in options_of(Machine)]


def test_a_restated_number_is_the_other_papers_and_means_the_same():
    before, after = known()["batch"], known(OfAnotherPaper)["batch"]
    assert after.default == {"paper": 8, "light": 16, "scenes": 4}
    assert (after.section, before.section) == ("5.2", "4.1")
    assert (after.help, after.minimum, after.maximum) == (before.help, 1, 64)
    assert before.default["paper"] == 5
    with pytest.raises(TrainingError, match="--batch is 99; it must be from 1 to 64"):
        settle(OfAnotherPaper, "paper", {"batch": 99})


def test_a_restated_number_stays_where_its_base_has_it():
    names = list(known(OfAnotherPaper))
    assert names == ["own", *known(Numbers)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch": 0}, "--batch is 0; it must be from 1 to 64"),
        ({"rate": float("nan")}, "--rate is nan; it must be a finite number"),
        ({"scales": (1.0, 0.01)}, "--scales is 0.01; it must be at least 0.1"),
        ({"dilations": (3, 0)}, "--dilations is 0; it must be at least 1"),
        ({"crop": "middle"}, "--crop is 'middle'; it can be whole, area"),
        ({"size": 3}, "There is no option 'size'; there are batch"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_accepted(given: dict, said: str):
    with pytest.raises(TrainingError, match=said.replace("(", r"\(")):
        settle(Numbers, "paper", given)


def test_an_unknown_preset_is_named_with_those_there_are():
    with pytest.raises(TrainingError, match="--preset is 'huge'; it can be paper, light, scenes"):
        settle(Numbers, "huge", {})


def test_written_values_are_read_back():
    assert known()["scales"].parse("0.5,1") == (0.5, 1.0)
    assert known()["scales"].written("light") == "0.5,1"
    assert known()["batch"].parse("12") == 12
    assert known()["dilations"].parse("5,7,12") == (5, 7, 12)
    assert known()["dilations"].parse("") == ()
    assert known()["dilations"].written("paper") == "5,7,12"
    assert settle(Numbers, "scenes", {"dilations": ()}).dilations == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("batch", "2.5"), ("rate", "fast"), ("scales", "1;2"), ("dilations", "2,2.5")],
)
def test_words_where_numbers_belong_are_refused(name: str, text: str):
    with pytest.raises(TrainingError, match=f"--{name} is '{text}'; it takes"):
        known()[name].parse(text)


def test_a_configuration_holds_every_option():
    assert written_settings(settle(Numbers, "light", {}))["batch"] == 16
    assert set(written_settings(Numbers())) == set(known())


def test_a_default_for_an_unknown_preset_is_a_programming_error():
    with pytest.raises(TypeError, match="There is no preset"):
        option(1, "help", heavy=2)
