"""What a classifier says of every image's tags; it is shown, and never becomes a tag by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.store.rows import Noun, dumps, now
from backend.store.tag_views import LEAST, MOST, Questions, questions

KEPT = 0.05
"""Scores below this are kept for an image's own tags and its likeliest class alone."""


@dataclass(frozen=True)
class Suggestion:
    """A class's score 0..1 for an image; `judged`: a person has said yes or no to it."""

    image_id: int
    class_id: int
    score: float
    judged: bool


@dataclass(frozen=True)
class SuggestionNumbers:
    """How many images the classifier has looked at, when it did last, and in which run."""

    images: int
    run_id: int | None
    run: str | None
    added: float | None


class Suggestions(Noun):
    """The latest classifier's scores, by image and class."""

    def enter(self, scores: Mapping[int, Mapping[int, float]], run_id: int | None) -> int:
        """Takes the scores by image and class id in, for those that were there; how many are kept.

        What an earlier classifier said of these images is forgotten. What a person has said of a
        class stands, whatever a classifier says later.
        """
        added = now()
        with self._connections.write() as database:
            ids = dumps(list(scores))
            tagged = set(
                database.execute(
                    "SELECT image_id, class_id FROM image_tags"
                    " WHERE image_id IN (SELECT value FROM json_each(?))",
                    [ids],
                ).fetchall()
            )
            kept = [
                (image, tag, score, run_id, added)
                for image, by_class in scores.items()
                for tag, score in by_class.items()
                if score >= KEPT or (image, tag) in tagged or score == max(by_class.values())
            ]
            database.execute(
                "DELETE FROM tag_suggestions WHERE image_id IN (SELECT value FROM json_each(?))",
                [ids],
            )
            database.conn.executemany(
                "INSERT INTO tag_suggestions (image_id, class_id, score, run_id, added)"
                " VALUES (?, ?, ?, ?, ?)",
                kept,
            )
        return len(kept)

    def of(self, images: Sequence[int]) -> dict[int, list[Suggestion]]:
        """What was said of these images, the surest class first."""
        found: dict[int, list[Suggestion]] = {}
        with self._connections.read() as database:
            for image, tag, score, judged in database.execute(
                "SELECT image_id, class_id, score, judged IS NOT NULL FROM tag_suggestions"
                " WHERE image_id IN (SELECT value FROM json_each(?))"
                " ORDER BY image_id, score DESC, class_id",
                [dumps(list(images))],
            ):
                found.setdefault(image, []).append(Suggestion(image, tag, score, bool(judged)))
        return found

    def numbers(self) -> SuggestionNumbers:
        """Who has said how much."""
        with self._connections.read() as database:
            images = database.execute(
                "SELECT count(DISTINCT image_id) FROM tag_suggestions"
            ).fetchone()[0]
            row = database.execute(
                "SELECT s.run_id, runs.name, s.added FROM tag_suggestions AS s"
                " LEFT JOIN runs ON runs.id = s.run_id ORDER BY s.added DESC LIMIT 1"
            ).fetchone()
        return SuggestionNumbers(int(images), *(row or (None, None, None)))

    def questions(self, least: float = LEAST, most: float = MOST) -> Questions:
        """How many tags are suggested and doubted, and not answered yet."""
        with self._connections.read() as database:
            return questions(database, least, most)
