"""What discoveries and new posts make of the languages of posts."""

from __future__ import annotations

from tests.topics.conftest import TopicDesk

GERMAN = (
    "der Wind hat heute die Fenster der alten Schule eingedrückt",
    "am Hafen liegen seit dem Morgen alle Boote fest an der Mauer",
    "wir haben den Keller ausgepumpt und die Möbel nach oben getragen",
    "die Feuerwehr sperrt die Brücke, weil das Wasser immer weiter steigt",
    "meine Großmutter erzählt, dass es früher noch viel schlimmer war",
    "auf der Straße liegen Äste, und niemand kommt mit dem Auto durch",
    "unser Dach hat gehalten, aber der Garten ist völlig verwüstet",
    "die Bahn fährt nicht, und der Bus steht im Wasser vor dem Rathaus",
    "heute bleibt die Schule geschlossen, sagt die Gemeinde am Abend",
    "nachts war der Strom weg, jetzt brennt wieder Licht in der Küche",
)


def test_words_of_a_topic_are_in_the_language_that_texts_tell_where_none_was_given(desk: TopicDesk) -> None:
    desk.post(*({"external_id": str(n), "text": f"storm {text}"} for n, text in enumerate(GERMAN)))
    desk.run()
    run = desk.discover()
    assert run.state == "done", run.error
    (topic,) = desk.topics()
    assert {word["language"] for word in topic.keywords} == {"de"}
