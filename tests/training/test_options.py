"""A recipe's numbers: presets, ranges, and what a person may write."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from training.errors import TrainingError
from training.machine import Machine
from training.options import option, options_of, settle, written_settings


@dataclass(frozen=True)
class Numbers(Machine):
    batch: int = option(5, "images a step", section="4.1", light=16, minimum=1, maximum=64)
    rate: float = option(1e-3, "learning rate", minimum=0)
    scales: tuple[float, ...] = option((1.0,), "sizes", light=(0.5, 1.0), minimum=0.1)
    crop: str = option("whole", "how", choices=("whole", "area"))
    flip: bool = option(True, "mirror", scenes=False)


def known() -> dict:
    return {each.name: each for each in options_of(Numbers)}


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
    assert names[:5] == ["batch", "rate", "scales", "crop", "flip"]
    assert names[5:] == [each.name for each in options_of(Machine)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch": 0}, "--batch is 0; it must be from 1 to 64"),
        ({"rate": float("nan")}, "--rate is nan; it must be at least 0"),
        ({"scales": (1.0, 0.01)}, "--scales is 0.01; it must be at least 0.1"),
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


@pytest.mark.parametrize(("name", "text"), [("batch", "2.5"), ("rate", "fast"), ("scales", "1;2")])
def test_words_where_numbers_belong_are_refused(name: str, text: str):
    with pytest.raises(TrainingError, match=f"--{name} is '{text}'; it takes"):
        known()[name].parse(text)


def test_a_configuration_holds_every_option():
    assert written_settings(settle(Numbers, "light", {}))["batch"] == 16
    assert set(written_settings(Numbers())) == set(known())


def test_a_default_for_an_unknown_preset_is_a_programming_error():
    with pytest.raises(TypeError, match="There is no preset"):
        option(1, "help", heavy=2)
