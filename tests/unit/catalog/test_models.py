"""Every row of SNOM-TLS's table of models, typed here from SNOM-TLS's text."""

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import MODELS, Generation, Model, find_model
from linekey.errors import InputError

# Model as SNOM-TLS prints it, canonical name, built-in, SHA-2 from which firmware.
ALWAYS, NEVER = "always", "never"
TABLE = [
    ("Snom 300", "300", "SHA-1", NEVER),
    ("Snom 320", "320", "SHA-1", NEVER),
    ("Snom 370", "370", "SHA-1", NEVER),
    ("Snom PA1", "PA1", "SHA-1", NEVER),
    ("Snom MP", "MP", "SHA-1", NEVER),
    ("Snom D120", "D120", "SHA-2", ALWAYS),
    ("Snom 710 / D710", "D710", "SHA-1", "8.9.3.60"),
    ("Snom 715 / D715", "D715", "SHA-1", "8.9.3.60"),
    ("Snom D712", "D712", "SHA-1", "8.9.3.60"),
    ("Snom 720", "720", "SHA-1", "8.9.3.60"),
    ("Snom 760", "760", "SHA-1", "8.9.3.60"),
    ("Snom D725", "D725", "SHA-1", "8.9.3.60"),
    ("Snom D735", "D735", "SHA-2", ALWAYS),
    ("Snom D745", "D745", "SHA-1", "8.9.3.60"),
    ("Snom D765", "D765", "SHA-1", "8.9.3.60"),
    ("Snom D785", "D785", "SHA-2", ALWAYS),
    ("Snom D305", "D305", "SHA-1", "8.9.3.60"),
    ("Snom D315", "D315", "SHA-1", "8.9.3.60"),
    ("Snom D345", "D345", "SHA-1", "8.9.3.60"),
    ("Snom D375", "D375", "SHA-1", "8.9.3.60"),
    ("Snom D385", "D385", "SHA-2", ALWAYS),
]
COMMON = {"300", "320", "370", "PA1", "MP"}


@pytest.mark.parametrize(("title", "name", "builtin", "sha2"), TABLE)
def test_a_model_is_as_the_seeds_table_says(
    title: str, name: str, builtin: str, sha2: str
) -> None:
    model = MODELS[name]
    assert model.title == title
    assert model.builtin.label == builtin
    assert model.key_bits == {"SHA-1": 1024, "SHA-2": 2048}[builtin]
    assert model.shared_certificate is (name in COMMON)
    assert (model.origin, model.confidence) == ("table", "H")
    works = {fw: model.supports_sha2(Firmware.parse(fw)) for fw in
             ("8.7.5.35", "8.9.3.59", "8.9.3.60", "10.1.20.0")}  # fmt: skip
    if sha2 == ALWAYS:
        assert all(works.values())
    elif sha2 == NEVER:
        assert not any(works.values())
    else:
        assert works == {
            "8.7.5.35": False, "8.9.3.59": False, "8.9.3.60": True, "10.1.20.0": True,
        }  # fmt: skip


def test_the_table_has_no_other_rows() -> None:
    of_the_table = [m.name for m in MODELS.values() if m.origin == "table"]
    assert of_the_table == [name for _, name, _, _ in TABLE]


def test_twelve_of_sixteen_own_certificates_are_sha1() -> None:
    """SNOM-TLS counts them, on its own."""
    own = [
        m for m in MODELS.values() if m.origin == "table" and not m.shared_certificate
    ]
    assert (len(own), sum(m.builtin is Generation.SHA1 for m in own)) == (16, 12)


@pytest.mark.parametrize("name", ["360", "820", "821", "870"])
def test_models_of_the_matrix_alone_are_marked_as_inference(name: str) -> None:
    model = MODELS[name]
    assert (model.origin, model.confidence) == ("matrix", "L")
    assert model.builtin is Generation.SHA1
    assert model.readings


def test_the_360_may_have_no_certificate_of_its_own_and_both_readings_are_told() -> (
    None
):
    assert MODELS["360"].shared_certificate
    assert any("no certificate at all" in text for text in MODELS["360"].readings)
    assert any("except the old 3xx" in text for text in MODELS["300"].readings)
    assert not any("except the old 3xx" in text for text in MODELS["MP"].readings)


@pytest.mark.parametrize("name", ["D717", "D812", "D865", "M900"])
def test_later_models_are_marked_as_such(name: str) -> None:
    model = MODELS[name]
    assert (model.origin, model.confidence, model.range_confidence) == (
        "later",
        "L",
        "L",
    )
    assert model.builtin is Generation.SHA256


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda m: m.name)
def test_every_model_has_source_confidence_and_a_sound_range(model: Model) -> None:
    assert model.source
    assert model.confidence in ("H", "M", "L")
    assert model.range_confidence in ("H", "M", "L")
    assert model.last_branch is None or model.first_branch <= model.last_branch


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("D785", "D785"),
        ("d785", "D785"),
        ("snomD785", "D785"),
        ("Snom D785", "D785"),
        ("785", "D785"),
        ("snom 710", "D710"),
        ("710", "D710"),
        ("D710", "D710"),
        ("710/D710", "D710"),
        ("Snom 710 / D710", "D710"),
        ("snom725", "D725"),
        ("D725", "D725"),
        ("snom300", "300"),
        ("PA1", "PA1"),
        ("snom-mp", "MP"),
        ("720", "720"),
    ],
)
def test_a_model_is_found_by_every_spelling(text: str, name: str) -> None:
    assert find_model(text).name == name


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda m: m.name)
def test_every_name_title_and_user_agent_name_finds_its_model(model: Model) -> None:
    for text in (model.name, model.user_agent_name, *model.aliases):
        assert find_model(text) is model
        assert find_model(text.upper()) is model


@pytest.mark.parametrize(
    ("text", "near"),
    [("D786", "D785"), ("snomD7855", "D785"), ("D71O", "D710"), ("snom 3OO", "300")],
)
def test_an_unknown_model_is_refused_with_near_names(text: str, near: str) -> None:
    with pytest.raises(InputError, match="unknown phone model") as caught:
        find_model(text)
    assert near in caught.value.hint


@pytest.mark.parametrize("text", ["", "/", "snom", "X3U", "710/D715", "x" * 10_000])
def test_what_is_near_nothing_or_two_models_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        find_model(text)
    assert "linekey models" in caught.value.hint


def test_generations_are_the_built_in_one_and_what_a_patch_can_bring() -> None:
    d715, d785, s300 = MODELS["D715"], MODELS["D785"], MODELS["300"]
    sha1, sha256 = Generation.SHA1, Generation.SHA256
    assert d715.generations_at(Firmware.parse("8.9.3.39")) == {sha1}
    assert d715.generations_at(Firmware.parse("8.9.3.40")) == {sha1, sha256}
    assert d715.generations_at(None) == {sha1, sha256}
    assert d785.generations_at(None) == {sha256}
    assert s300.generations_at(None) == {sha1}
