"""The Train tab's form by keyboard and mouse: what is typed stays, wherever one goes next."""

TIMEOUT = 30_000


def field(page, name: str):
    return page.locator(f"#tr-classify-{name}")


def opened(page):
    page.get_by_role("tab", name="Train", exact=True).click()
    field(page, "epochs").wait_for(timeout=TIMEOUT)
    page.locator("#tm-train [data-preset='scenes']").click()


def test_a_value_typed_after_tabbing_from_a_changed_field_is_kept(page):
    opened(page)
    field(page, "epochs").fill("3")
    page.keyboard.press("Tab")
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    command = page.locator("#tm-train .tr-command")
    page.wait_for_function(
        "() => document.querySelector('#tm-train .tr-command').textContent.includes('--seed 7')"
    )
    assert "--epochs 3" in command.inner_text()
    assert field(page, "seed").input_value() == "7"


def test_one_click_goes_from_a_changed_field_to_another(page):
    opened(page)
    field(page, "epochs").fill("4")
    field(page, "seed").click()
    assert page.evaluate("document.activeElement.id") == "tr-classify-seed"


def test_weights_and_saliency_are_chosen_and_never_typed(page):
    opened(page)
    assert field(page, "weights").evaluate("(one) => one.tagName") == "SELECT"
    page.locator("#tr-recipe").select_option("labels")
    for name in ("weights", "saliency"):
        chooser = page.locator(f"#tr-labels-{name}")
        chooser.wait_for(timeout=TIMEOUT)
        assert chooser.evaluate("(one) => one.tagName") == "SELECT"
    assert page.locator("#tr-labels-saliency option").all_inner_texts()[0] == "classical"
    assert page.locator("#tm-train input[aria-label*='Path']").count() == 0


def test_reset_and_the_count_of_changes_follow_what_is_typed(page):
    opened(page)
    page.locator("#tm-train .tr-more summary").click()
    reset, badge = page.locator("#tm-train .tr-reset"), page.locator("#tm-train .tr-changed")
    assert not reset.is_visible()
    assert not badge.is_visible()
    field(page, "momentum").fill("0.5")
    field(page, "momentum").press("Tab")
    assert badge.inner_text() == "1 changed"
    reset.click()
    field(page, "momentum").wait_for(timeout=TIMEOUT)
    assert field(page, "momentum").input_value() == "0.9"
    assert not badge.is_visible()


def test_another_recipe_begins_at_the_top_and_says_where_there_is_no_run_to_learn_from(page):
    opened(page)
    page.locator("#tm-train .tr-more summary").click()
    body = page.locator("#tm-train .tr-form-body")
    body.evaluate("(one) => { one.scrollTop = 300; }")
    assert body.evaluate("(one) => one.scrollTop") == 300
    assert "Image cache, MiB" in body.inner_text()
    page.locator("#tr-recipe").select_option("oaaplus")
    assert body.evaluate("(one) => one.scrollTop") == 0
    page.wait_for_function(
        "() => document.querySelector('#tm-train .tr-command').textContent.includes('none yet')"
    )
    said = page.locator("#tm-train .tr-command").inner_text()
    assert "Train “Online attention accumulation (OAA)” first" in said
    chosen = page.locator("#tr-oaaplus-from_ option:checked")
    assert chosen.inner_text() == "No finished run of OAA yet"
