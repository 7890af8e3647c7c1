"""English and Russian: every text has both, and what programs read has neither commas nor Russian in it."""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import polib
import pytest
from django.conf import settings as site
from django.utils import translation

from gallery.decoding.limits import too_large
from gallery.models import Album, Image
from gallery.web.i18n import localized
from gallery.web.paging import SORTS, images
from search.duplicates import compare_views, models, relations, wording
from search.duplicates.alignment import IDENTITY
from search.exceptions import MESSAGES, message_of
from search.explain import drawing
from search.kernels.dihedral import Dihedral
from search.map import views
from search.methods import label_of
from search.templatetags.likeness import PARTS
from search.types import Message
from search.web import quality_report
from search.web.forms import method_choices
from tests.support.pages import add, as_editor, text, upload

ROOT = Path(site.BASE_DIR)
LOCALE = Path("locale") / "ru" / "LC_MESSAGES"
RUSSIAN = {"Accept-Language": "ru"}
CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _english_again():
    """What a request has activated stays active in its thread."""
    with translation.override("en"):
        yield


@pytest.fixture(scope="module", params=["django", "djangojs"])
def catalogue(request):
    return polib.pofile(str(ROOT / LOCALE / f"{request.param}.po"))


def key(entry):
    return entry.msgctxt, entry.msgid, entry.msgid_plural


def test_every_text_is_translated_and_none_is_a_guess(catalogue):
    assert len(catalogue) > 30
    assert [entry.msgid for entry in catalogue if not entry.translated() or entry.fuzzy or entry.obsolete] == []


def test_translations_keep_what_is_filled_in(catalogue):
    filled = re.compile(r"%\(\w+\)s|\{\w+\}")
    for entry in catalogue:
        for said in [entry.msgstr] if entry.msgstr else entry.msgstr_plural.values():
            assert set(filled.findall(said)) == set(filled.findall(entry.msgid)), entry.msgid


def test_what_is_compiled_is_what_is_written(catalogue):
    compiled = polib.mofile(str(Path(catalogue.fpath).with_suffix(".mo")))
    said = {key(entry): (entry.msgstr, entry.msgstr_plural) for entry in compiled}
    assert said == {key(entry): (entry.msgstr, entry.msgstr_plural) for entry in catalogue}


@pytest.mark.skipif(not shutil.which("xgettext"), reason="makemessages needs gettext: apt install gettext")
def test_no_text_is_forgotten(catalogue, tmp_path):
    for folder in ("gallery", "imagesite", "search", "templates", "static", "locale"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.mo", "__pycache__"))
    po = Path(catalogue.fpath)
    command = ["makemessages", "--locale=ru", f"--domain={po.stem}", "--no-location", "--no-obsolete"]
    subprocess.run([sys.executable, str(ROOT / "manage.py"), *command], cwd=tmp_path, check=True, capture_output=True)
    found = polib.pofile(str(tmp_path / LOCALE / po.name))
    assert {key(entry) for entry in found} == {key(entry) for entry in catalogue}


def labels():
    yield from (sort.label for sort in SORTS.values())
    yield from (label for _, label in method_choices())
    yield from (label for _, label in PARTS)
    yield from (label for _, label in models.RELATIONS)
    yield from (label for _, label in compare_views.VIEWS)
    yield from (*wording.SENTENCE.values(), *filter(None, wording.ADDITION.values()), *wording.REASONS.values())
    yield from (*drawing.FORMS.values(), *views.STAGES.values(), *quality_report.LABELS.values())


@pytest.mark.parametrize("label", list(labels()), ids=str)
def test_a_label_is_shown_in_the_visitors_language(label):
    english = str(label)
    assert not CYRILLIC.search(english)
    with translation.override("ru"):
        assert CYRILLIC.search(str(label)), english


def test_every_turn_has_its_words():
    assert set(wording.SENTENCE) == set(wording.ADDITION) == set(relations.TRANSFORMS) == set(Dihedral)
    assert set(drawing.FORMS) == set(Dihedral) - {Dihedral.IDENTITY}


@pytest.mark.parametrize("code", sorted(set(MESSAGES) - {"encoder_not_made"}))
def test_a_message_of_the_core_is_english_until_a_page_shows_it(code):
    names = re.findall(r"%\((\w+)\)s", MESSAGES[code])
    message = message_of(code, **{name: f"<{name}>" for name in names})
    assert not CYRILLIC.search(message)
    with translation.override("ru"):
        assert not CYRILLIC.search(str(message))
        shown = localized(message)
    assert CYRILLIC.search(shown)
    assert all(f"<{name}>" in shown for name in names)


def test_what_is_filled_into_a_message_is_translated_too():
    message = message_of("method_without_words", method=Message("phash", label_of("phash")))
    assert "Copies" in message
    with translation.override("ru"):
        assert "Copies" not in localized(message)
    assert localized("said by nobody") == "said by nobody"


def test_an_error_of_the_gallery_speaks_the_active_language_with_its_numbers():
    error = too_large(60_000_000, 50_000_000)
    assert (error.code, str(error)) == ("too_large", "The file has 60,000,000 bytes; the limit is 50,000,000.")
    with translation.override("ru"):
        assert (
            str(error).replace("\xa0", " ") == "Размер файла — 60 000 000 Б, принимаются файлы не больше 50 000 000 Б."
        )


def test_a_crop_is_described_in_the_visitors_language():
    crop = relations.Comparison(relations.Relation.CROP, Dihedral.ROTATE_180, IDENTITY, 0.0, (0.4, 1.0))
    one, two = Image(width=10, height=10), Image(width=4, height=10)
    assert wording.describe(crop, one, two) == "Cropped to 40%, rotated 180°"
    with translation.override("ru"):
        assert wording.describe(crop, one, two) == "Кадр, 40% целого, повёрнута на 180°"


@pytest.mark.django_db
def test_a_page_speaks_the_language_of_the_browser(client):
    assert '<html lang="en">' in text(client.get("/"))
    response = client.get("/", headers=RUSSIAN)
    assert '<html lang="ru"' in text(response)
    assert "Картинок пока нет" in text(response)
    assert response["Content-Language"] == "ru"
    assert "Accept-Language" in response["Vary"]
    assert "Такой страницы" in text(client.get("/nothing/", headers=RUSSIAN))


@pytest.mark.django_db
def test_a_chosen_language_stays_without_javascript(client):
    page = text(client.get("/search/?q=sea"))
    form = page[page.index('action="/language/"') :]
    assert re.findall(r'name="language" value="(\w+)" lang="\w+" aria-label="([^"]+)"', form) == [("ru", "RU: Русский")]
    following = unescape(re.search(r'name="next" value="([^"]+)"', form)[1])
    response = client.post("/language/", {"language": "ru", "next": following})
    assert response["Location"] == "/search/?q=sea"
    assert '<html lang="ru"' in text(client.get("/search/"))
    client.post("/language/", {"language": "en"})
    assert '<html lang="en">' in text(client.get("/search/", headers=RUSSIAN))


@pytest.mark.django_db
def test_a_language_leads_to_no_other_site(client, settings):
    settings.PUBLIC_READING = False
    response = client.post("/language/", {"language": "ru", "next": "https://example.com/"})
    assert response["Location"] == "/"


@pytest.mark.django_db
def test_programs_are_answered_in_english_whatever_they_ask_for(client):
    for address in ("/api/images/0/", "/api/search/text/", "/api/search/text/?q=a&method=color", "/healthz"):
        response = client.get(address, headers=RUSSIAN)
        assert not CYRILLIC.search(text(response)), address
        assert "Accept-Language" not in response.get("Vary", "")


@pytest.mark.django_db
def test_errors_beside_fields_are_russian(client):
    page = text(client.post("/search/", {"url": "http://127.0.0.1:9/a.jpg"}, headers=RUSSIAN))
    assert CYRILLIC.search(re.search(r'id="error-url"[^>]*><p[^>]*>([^<]+)</p>', page)[1])
    page = text(client.post("/search/", {"file": ""}, headers=RUSSIAN))
    assert "Укажите одну картинку" in page


def catalogue_of(page):
    """The address of the texts of scripts that a page loads, "" without one."""
    found = re.search(r'<script src="(/language/[^"]+)" defer>', page)
    return found[1] if found else ""


def brought_by(answer):
    """The texts in Django's catalogue."""
    return json.loads(re.search(r"const newcatalog = (\{.*?\n  \});", text(answer), re.DOTALL)[1])


@pytest.mark.django_db
def test_scripts_of_russian_pages_load_their_texts_before_they_run(client):
    page = text(client.get("/", headers=RUSSIAN))
    assert re.search(rf"{catalogue_of(page)}.*/static/site\.(\w+\.)?js", page, re.DOTALL)
    answer = client.get(catalogue_of(page))
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    brought = brought_by(answer)
    assert brought["Try again"] == "Повторить"
    assert brought["Add %(n)s picture"][1] == "Добавить %(n)s картинки"
    assert set(brought) == {entry.msgid for entry in polib.pofile(str(ROOT / LOCALE / "djangojs.po"))}


@pytest.mark.django_db
def test_english_pages_load_no_texts_for_scripts(client):
    assert catalogue_of(text(client.get("/"))) == ""


@pytest.mark.django_db
def test_texts_of_scripts_are_there_for_those_who_have_yet_to_log_in(client, settings):
    settings.PUBLIC_READING = False
    page = text(client.get("/login/", headers=RUSSIAN))
    assert client.get(catalogue_of(page)).status_code == 200


def test_an_old_address_of_the_texts_brings_those_of_now_and_is_not_kept(client):
    answer = client.get("/language/ru/0123456789ab.js")
    assert answer["Cache-Control"] == "no-cache"
    assert brought_by(answer)["Try again"] == "Повторить"
    assert client.get("/language/xx/0123456789ab.js").status_code == 404


@pytest.mark.django_db
def test_numbers_and_dates_are_localised_for_people_only(client, worker, settings):
    settings.SHOW_GPS = True
    picture, _other = add(1, size=(1200, 900)), add(2, size=(1200, 900))
    worker()
    Image.objects.filter(pk=picture.pk).update(latitude=48.85837, longitude=2.29448)
    page = text(client.get(f"{picture.get_absolute_url()}?method=color", headers=RUSSIAN))
    assert 'width="1200" height="900"' in page
    assert re.search(r'viewBox="0 0 1200 900"', page)
    assert "48.85837, 2.29448" in page
    assert re.search(r"расстояние \d+,\d+", page)
    assert re.search(r"\d г\. \d+:\d\d", page)
    assert not re.search(r'\s(?:width|height|x|y|d|points|viewBox|max|data-[a-z]+)="[\d.\s]*\d,\d', page)


@pytest.mark.django_db
def test_drawings_have_points_in_their_numbers(client, worker):
    picture, other = add(1, size=(320, 240)), add(2, size=(320, 240))
    worker()
    page = text(client.get(f"/images/{other.pk}/why/?query={picture.pk}", headers=RUSSIAN))
    bars = re.findall(r'<rect x="([^"]+)" y="([^"]+)" width="\.9" height="([^"]+)"', page)
    assert bars
    assert all("," not in number for bar in bars for number in bar)
    assert "бит" in page


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "noun"), [(1, "картинка"), (2, "картинки"), (5, "картинок"), (11, "картинок")])
def test_counts_have_their_form(client, count, noun):
    album = Album.objects.create(title="Море")
    album.images.set([Image.objects.create(sha256=f"{n:064}", width=3, height=2, bytes=1) for n in range(count)])
    assert f"{count} {noun}" in text(client.get("/albums/", headers=RUSSIAN))


@pytest.mark.django_db
def test_a_form_and_its_message_are_russian(client):
    as_editor(client)
    picture = add(1)
    page = text(client.get(f"{picture.get_absolute_url()}edit/", headers=RUSSIAN))
    assert ">Название</label>" in page
    answer = client.post(f"{picture.get_absolute_url()}edit/", {"title": "Кот"}, headers=RUSSIAN, follow=True)
    assert "Сохранено." in text(answer)


@pytest.mark.django_db
def test_words_are_found_in_small_and_large_letters():
    shown = [add(1, "КОТ на окне"), add(2, "Рыжий кот"), add(3, "собака (Кот?)")]
    add(4, "окно")
    for word in ("кот", "Кот", "КОТ"):
        assert set(images(q=word)) == set(shown)
    assert list(images(q="(кот?)")) == shown[2:]


@pytest.mark.django_db
def test_forms_of_a_kept_search_can_be_sent(client):
    page = text(client.post("/search/", {"file": upload(1)}, headers=RUSSIAN, follow=True))
    assert "Хранится до" in page
    # With "no-referrer" browsers send "Origin: null", and no form of the page passes the check against forgery.
    assert re.search(r'<meta name="referrer" content="([^"]+)"', page)[1] == "same-origin"
