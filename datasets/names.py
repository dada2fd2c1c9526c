"""Names as people and archives write them: accents, word order, broken encodings."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from benchmark.user_input import closest
from datasets.images import DatasetError

# How a person without the letter writes it; the other habit, dropping the accent, needs none.
TRANSLITERATED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})

Aliases = Mapping[str, Sequence[str]]  # known names, each with its other names


def unbroken(name: str) -> str:
    """A name whose UTF-8 was read as code page 437, once or several times, as it was meant.

    The archive's `Albrecht_Du╠êrer` and `Albrecht_DuΓòá├¬rer` are `Albrecht_Dürer` after one and
    two such readings. A name that was never broken is only composed (NFC).
    """
    while not name.isascii():
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            break
    return unicodedata.normalize("NFC", name)


def plain(name: str) -> str:
    """A name without accents and capitals, with spaces for underscores."""
    folded = unicodedata.normalize("NFKD", unbroken(name).casefold())
    return "".join(c for c in folded if not unicodedata.combining(c)).replace("_", " ")


def words(name: str) -> list[str]:
    """The words of a name without accents, capitals and punctuation."""
    return re.findall(r"\w+", plain(name))


def name_key(name: str) -> str:
    """What all spellings of a name have in common."""
    return "".join(words(name))


def numbered(names: Sequence[str]) -> list[str]:
    """Names of which those that were there before are numbered: a, a (2), a (3)."""
    counts = [names[:place].count(name) + 1 for place, name in enumerate(names)]
    return [f"{n} ({count})" if count > 1 else n for n, count in zip(names, counts, strict=True)]


def chosen_names(option: str, known: Aliases, wanted: Sequence[str]) -> list[str]:
    """The known names that a person means, in the order meant.

    A name may lack accents, capitals or some of its words (`monet`, `van gogh`), have them in
    another order, be one of the aliases, or be a pattern (`Claude*`).

    Raises:
        DatasetError: a name matches none, or several, or none is wanted.
    """
    chosen: dict[str, None] = {}
    for name in wanted:
        matches = _matches(known, name)
        if not matches:
            raise unknown_name(option, name, known)
        if len(matches) > 1 and not is_pattern(name):
            reason = f"matches several, {' and '.join(matches)}; give more of the name"
            raise DatasetError(reason, option, name)
        chosen |= dict.fromkeys(matches)
    if not chosen:
        raise DatasetError("name at least one, or leave it out for the first few", option, [])
    return list(chosen)


def _matches(known: Aliases, name: str) -> list[str]:
    """The known names that a name matches, by the strictest reading that matches any."""
    if name in known:
        return [name]
    if is_pattern(name):
        return [artist for artist in known if fnmatchcase(plain(artist), plain(name))]
    spellings: dict[str, list[str]] = {}
    for artist, aliases in known.items():
        composed = [unbroken(text).casefold() for text in (artist, *aliases)]
        spellings[artist] = composed + [text.translate(TRANSLITERATED) for text in composed]
    wanted = name_key(name)
    same = [a for a, written in spellings.items() if wanted in map(name_key, written)]
    if same or not wanted:
        return same
    given = set(words(name))
    return [a for a, written in spellings.items() if any(given <= set(words(s)) for s in written)]


def is_pattern(name: str) -> bool:
    """Whether a name can match several."""
    return any(character in name for character in "*?")


def unknown_name(option: str, name: str, known: Aliases) -> DatasetError:
    """The error for an unknown name, with the known one whose spelling or word is most like it."""
    written = [(text, right) for right, aliases in known.items() for text in (right, *aliases)]
    by_key = {word: right for text, right in written for word in words(text)}
    by_key |= {name_key(text): right for text, right in written}
    nearest = closest(name_key(name), by_key, cutoff=0.6)
    hint = f" Did you mean '{by_key[nearest]}'?" if nearest else ""
    shown = ", ".join(list(known)[:12]) + (f", … ({len(known)} in all)" if len(known) > 12 else "")
    return DatasetError(f"no such name.{hint} Known: {shown}", option, name)
