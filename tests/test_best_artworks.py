"""Kaggle's archive of paintings: its layouts and quirks, and the style sets made from it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from datasets import DatasetError, best_artworks, describe, kaggle, names

BELOW = ("", "images", "images/images", "resized", "resized/resized")


def sets_of(root: Path, **conditions: Any) -> dict[str, list[str]]:
    """Names of the sets and of their paintings."""
    found = best_artworks.paintings(str(root), **conditions)
    return {group.name: [picture.name for picture in group.images] for group in found}


@pytest.mark.parametrize("below", BELOW)
def test_any_folder_of_an_unpacked_archive_is_taken(archive: Path, below: str) -> None:
    catalogue = best_artworks.catalogue(str(archive / below))
    counts = {artist.name: (len(artist.images), artist.listed) for artist in catalogue.artists}
    assert counts == {
        "Ada Blau": (4, 4),
        "Albrecht Dürer": (3, 3),
        "Bruno Vert": (12, 12),
        "Nobody Here": (0, 7),
    }
    assert [artist.born for artist in catalogue.artists] == [1840, 1471, 1853, 1881]
    [note] = catalogue.notes
    assert "Albrecht Dürer has 2 spellings" in note
    assert "without 3 duplicate files" in note
    [bruno] = best_artworks.paintings(str(archive / below), ["Bruno Vert"])
    assert [picture.name for picture in bruno.images] == [f"Bruno_Vert_{n}" for n in range(1, 13)]


def test_broken_encodings_are_undone() -> None:
    """Expected names written by hand; é, ü and ó are bytes of code page 437 themselves."""
    for broken in ("Albrecht_Du╠êrer", "Albrecht_DuΓòá├¬rer", "Albrecht_Du\u0308rer"):
        assert names.unbroken(broken) == "Albrecht_Dürer"
    for whole in ("Albrecht Dürer", "Paul Cézanne", "Joan Miró", "Łukasz"):
        assert names.unbroken(whole) == whole


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Ada Blau", "Ada Blau"),
        ("ada_blau", "Ada Blau"),
        ("BLAU", "Ada Blau"),
        ("Blau, Ada", "Ada Blau"),
        ("Ada de Blau", "Ada Blau"),
        ("Brúno  Vert", "Bruno Vert"),
        ("Albrecht Durer", "Albrecht Dürer"),
        ("Duerer", "Albrecht Dürer"),
        ("Bru*", "Bruno Vert"),
    ],
)
def test_artists_in_any_spelling(archive: Path, written: str, meant: str) -> None:
    assert list(sets_of(archive, artists=[written])) == [meant]


def test_names_are_checked_before_a_download(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def unpacked(name: str, root: str | None) -> Path:
        asked.append(root)
        return archive

    monkeypatch.setattr(kaggle, "cached", lambda name: None)
    monkeypatch.setattr(kaggle, "unpacked", unpacked)
    with pytest.raises(DatasetError) as raised:
        best_artworks.paintings(None, ["monet", "picaso"])
    assert (raised.value.option, raised.value.value) == ("dataset.artists", "picaso")
    assert "'Pablo Picasso'" in raised.value.reason
    assert not asked
    assert [one.name for one in best_artworks.paintings(None, ["durer"])] == ["Albrecht Dürer"]


def test_sets_by_genre_country_and_era(archive: Path) -> None:
    ada, bruno = (
        [f"{n}_{i}" for i in range(1, k + 1)] for n, k in (("Ada_Blau", 4), ("Bruno_Vert", 12))
    )
    together = [ada[0], bruno[0], ada[1], bruno[1], ada[2], bruno[2], ada[3], *bruno[3:]]
    assert sets_of(archive, genre="impressionism") == {"Impressionism": together}
    assert sets_of(archive, genre="Impressionism", nationality="Dutch") == {
        "Impressionism, Dutch": bruno
    }
    assert sets_of(archive, born=(1830, 1870)) == {"born 1830-1870": together}
    by_artist = sets_of(archive, genre=["Impressionism"], group_by="artist")
    assert by_artist == {"Ada Blau": ada, "Bruno Vert": bruno}
    assert list(sets_of(archive, group_by="nationality")) == ["Dutch", "French", "German"]
    assert list(sets_of(archive, artists=["Vert"], group_by="genre")) == [
        "Impressionism",
        "Realism",
    ]
    assert list(sets_of(archive)) == ["Ada Blau", "Albrecht Dürer"]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"artists": ["Ada Blou"]}, r"Did you mean 'Ada Blau'\?"),
        ({"artists": ["a"]}, r"dataset.artists=a: no such name"),
        ({"artists": ["Nobody Here"]}, r"no paintings by Nobody Here, .* has paintings by Ada"),
        ({"genre": "Impresionism"}, r"dataset.genre=Impresionism: .*mean 'Impressionism'\?"),
        ({"nationality": "Frensh"}, r"dataset.nationality=Frensh: .*mean 'French'\?"),
        ({"genre": "Realism", "nationality": "French"}, "is Realism and French: leave a condition"),
        ({"born": [1900, 1800]}, r"dataset.born=\[1900,1800\]: give the first and the last year"),
        ({"born": [1900]}, r"dataset.born=\[1900\]: give the first and the last year"),
        ({"born": (1, 2)}, "is born 1-2"),
    ],
)
def test_wrong_conditions_are_one_clear_line(
    archive: Path, conditions: dict[str, object], message: str
) -> None:
    with pytest.raises(DatasetError, match=message) as raised:
        sets_of(archive, **conditions)
    assert "\n" not in str(raised.value)


def test_what_is_not_the_archive(archive: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="no images of best_artworks: give the unpacked"):
        sets_of(empty)
    (archive / "artists.csv").write_text("name,years\nAda Blau,1840\n")
    with pytest.raises(DatasetError, match="no column genre, nationality, wikipedia, paintings"):
        sets_of(archive)
    (archive / "artists.csv").unlink()
    assert list(sets_of(archive, artists=["blau"])) == ["Ada Blau"]
    with pytest.raises(DatasetError, match="nothing is known of the artists"):
        sets_of(archive, genre="Cubism")


def test_describe_counts_what_is_there(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert describe.main(["dataset=best_artworks", f"dataset.root={archive}"]) == 0
    told = capsys.readouterr().out
    assert "19 paintings by 3 artists, 0 unreadable" in told
    assert "published: 8,446 paintings (-8,427)" in told
    shutil.copy(archive / "artists.csv", archive / "images/images/Ada_Blau/Ada_Blau_5.jpg")
    assert describe.main(["dataset=best_artworks", f"dataset.root={archive}"]) == 1
    told = capsys.readouterr().out
    assert "20 paintings by 3 artists, 1 unreadable" in told
    assert "Ada_Blau_5.jpg (no picture of a known format" in told
    assert "differ from the table's count: Ada Blau 5 (4)" in told
    assert describe.main(["dataset=best_artwork"]) == 2
    assert "Did you mean 'best_artworks'?" in capsys.readouterr().err
    for missing in ([], ["dataset.root=null"]):
        assert describe.main(["dataset=folder", *missing]) == 2
        assert "dataset.root: must be given" in capsys.readouterr().err
