"""What a request may set: names, numbers and their bounds, each refusal a sentence."""

import pytest

from backend.errors import DataError
from backend.inspection import Settings
from backend.maps.crf import PRESETS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gamma": 1.2}, "gamma"),
        ({"high": 0.2, "low": 0.5}, "low zone threshold"),
        ({"fusion": "mean"}, "dcsp"),
        ({"crf": "nobody"}, "preset 'nobody'"),
        ({"crf": {"iterations": -1}}, "iterations"),
        ({"crf": {"colour": 3}}, "CRF parameters"),
        ({"weight": "much"}, "weight"),
        ({"gamma": float("nan")}, "gamma"),
        ({"brightness": 1}, "'brightness'"),
        ({"weight": 10**400}, "weight was 1000"),
        ({"weight": True}, "weight was True"),
        ({"saliency": []}, r"saliency was \[\]; accepted is the name"),
        ({"fusion": ["dcsp"]}, "fusion was"),
        ({"crf": []}, "CRF parameters"),
        ({"crf": 3}, "CRF parameters"),
        ({"crf": {"iterations": "10"}}, "CRF's iterations was '10'; accepted is 0 to 100"),
        ({"crf": {"iterations": 10**400}}, r"CRF's iterations was 10+\.\.\."),
        ({"crf": {"iterations": 2.5}}, "iterations must be a whole number"),
        ({"crf": {"iterations": None}}, "CRF's iterations was None"),
        ({"crf": {"gaussian_xy": 0}}, "gaussian_xy must be a number above 0"),
        ({"crf": {"bilateral_xy": float("inf")}}, "bilateral_xy was inf"),
        ({"method": 3}, "method was 3; accepted is the name"),
        ({"oaa_pass": -1}, "oaa_pass was -1"),
        ({"oaa_pass": 1.5}, "oaa_pass was 1.5; a pass is a whole number"),
        ({"erasing_steps": 2.5}, "erasing_steps was 2.5; the number of looks is a whole number"),
        ({"erasing_steps": 0}, "erasing_steps was 0; accepted is 1 to 5"),
        ({"erasing_steps": 4}, "4 looks for saliency want 3 thresholds in erase_above, but there"),
        ({"erase_above": [0.7, 1.2]}, r"erase_above was \[0.7, 1.2\]; thresholds go from 0 to 1"),
        ({"erase_above": 0.7}, "erase_above was 0.7; accepted is a list of up to 4"),
        ({"erase_above": [0.1] * 5}, "accepted is a list of up to 4 thresholds"),
        ({"erase_above": ["high"]}, "thresholds go from 0 to 1"),
        ({"refine": "magic"}, "refine was 'magic'; accepted are crf, walk, grabcut, none"),
        ({"refine": None}, "refine was None"),
        ({"affinity": 3}, "affinity was 3; accepted is the name of affinity weights"),
        ({"walk_steps": 1.5}, "walk_steps was 1.5; the number of steps is a whole number"),
        ({"walk_steps": 10**6}, "walk_steps was 1000000; accepted is 0 to 4096"),
        ({"walk_beta": -1}, "walk_beta was -1"),
        ({"oaa_fusion": "median"}, "oaa_fusion was 'median'; accepted are max, mean"),
        ({"erase": 1.1}, "erase was 1.1; accepted is 0 to 1"),
        ({"sigma": 10}, "sigma was 10; accepted is 0 to 1"),
        ({"scale": 0}, "scale was 0; accepted is 0.1 to 1"),
        ({"scale": None}, "scale was None"),
        ({"reliable": "high"}, "reliable was 'high'"),
        ({"truth_threshold": -0.1}, "truth_threshold was -0.1"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(given: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Settings.from_json(given)


def test_settings_of_a_request_take_presets_by_name_or_number() -> None:
    assert Settings.from_json({}) == Settings()
    assert Settings.from_json({"crf": "irn"}).crf == PRESETS["irn"]
    assert Settings.from_json({"crf": vars(PRESETS["psa"])}).crf == PRESETS["psa"]
    assert Settings.from_json({"crf": None}).crf is None
