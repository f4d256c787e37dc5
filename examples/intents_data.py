"""Labelled sentences for the intent classifier: Home Assistant's own templates, sampled.

The package home-assistant-intents holds, for each intent, templates such as

    "<turn> on [<the>] {area} [<the>] {name} <light>"

where <rule> stands for another template, [..] may be left out, (a|b) is a choice, (a;b) is
either order, and {list} stands for a value. hassil parses them. A template can expand to
millions of sentences, so each sentence here is one random walk through one template.
"""

import itertools
import random
from typing import NamedTuple

from hassil.expression import Alternative, ListReference, Permutation, RuleReference, TextChunk
from hassil.intents import Intents, RangeSlotList, TextSlotList
from home_assistant_intents import get_intents

Labelled = list[tuple[str, str]]  # (sentence, intent)

SENTENCES_PER_INTENT = 750  # at most: some intents have only a handful
WALKS_PER_INTENT = 3000
HELD_OUT_PART = 10  # one sentence in ten for validation, one in ten for the test


class Splits(NamedTuple):
    """Three sets without a common sentence; the templates and the names are common to all."""

    train: Labelled  # balanced: the same number for each intent, by repeating the rare ones
    validation: Labelled
    test: Labelled


# The package leaves open what only a household knows: its rooms, its things, what people say.
# {name} depends on the kind of thing that a template speaks of.
NAMES = {
    "binary_sensor": ["hall motion sensor", "back door sensor", "garage sensor", "porch sensor"],
    "button": ["doorbell", "restart router", "panic button"],
    "climate": ["thermostat", "nest", "air conditioner", "heat pump", "radiator"],
    "cover": ["garage door", "left blind", "front curtain", "patio awning", "roller shutter"],
    "fan": ["ceiling fan", "tower fan", "exhaust fan", "desk fan"],
    "input_boolean": ["guest mode", "vacation mode", "quiet hours"],
    "input_button": ["feed the cat", "reset filter"],
    "lawn_mower": ["husqvarna", "shaun", "grass robot"],
    "light": ["floor", "bedside", "chandelier", "reading", "christmas tree", "spot", "counter"],
    "lock": ["front door", "back door", "side gate", "cellar door", "bike shed"],
    "media_player": ["television", "sonos", "kitchen speaker", "projector", "stereo", "soundbar"],
    "person": ["alice", "bob", "grandma", "oliver", "maria", "tom"],
    "scene": ["movie night", "dinner party", "good morning", "relax", "sunset"],
    "script": ["bedtime routine", "leave home", "flash everything", "morning coffee"],
    "sensor": ["outdoor humidity", "power meter", "rain gauge", "water tank"],
    "switch": ["coffee maker", "heater", "kettle", "aquarium pump", "dehumidifier"],
    "todo": ["packing", "gift", "homework", "project", "chores", "reading"],
    "vacuum": ["roomba", "rosie", "dusty", "hoover"],
    "valve": ["water main", "sprinkler", "gas valve", "drip line"],
    "weather": ["paris", "london", "tokyo", "grandma's village", "berlin"],
}
ITEMS = [
    "milk", "bread", "eggs", "two lemons", "dish soap", "coffee beans", "batteries", "oat milk",
    "cat food", "olive oil", "a birthday card", "toothpaste", "tomatoes", "rice", "light bulbs",
    "paper towels", "call the dentist",
]
LISTS = {
    "area": [
        "kitchen", "living room", "bedroom", "bathroom", "garage", "hallway", "office",
        "dining room", "nursery", "attic", "laundry room", "guest room", "basement", "patio",
        "garden", "study", "play room", "pantry",
    ],
    "floor": ["first", "second", "ground", "upstairs", "downstairs", "top", "lower"],
    "message": [
        "dinner is ready", "we leave in five minutes", "the dog needs a walk", "please come down",
        "the movie is starting", "somebody is at the door", "bedtime", "who took my keys",
        "lunch is served", "the guests are here", "school starts at nine", "the pizza has arrived",
        "happy birthday",
    ],
    "search_query": [
        "the beatles", "jazz", "abbey road", "miles davis", "yesterday", "classical piano",
        "radio paradise", "taylor swift", "workout mix", "rain sounds", "queen",
        "bohemian rhapsody", "the news", "bach", "lullabies",
    ],
    "shopping_list_item": ITEMS,
    "todo_list_item": ITEMS,
    "timer_command": [
        "turn off the lights", "open the garage door", "lock the front door",
        "start the coffee maker", "close the blinds", "turn on the heater", "pause the music",
        "switch off the fan",
    ],
    "timer_name": [
        "pizza", "pasta", "laundry", "tea", "egg", "homework", "nap", "workout", "oven", "bread",
        "rice",
    ],
    "zone": ["home", "work", "school", "the gym", "the office"],
}


def load(seed: int) -> Splits:
    """The same seed gives the same sentences."""
    rng = random.Random(seed)
    intents = Intents.from_dict(get_intents("en"))
    by_intent = {name: _sample_intent(name, intents, rng) for name in sorted(intents.intents)}
    return _split(_without_ambiguous(by_intent))


def _sample_intent(name: str, intents: Intents, rng: random.Random) -> list[str]:
    """Distinct sentences of one intent, in random order."""
    templates = [
        (sentence.expression, _values_of_lists(block, intents))
        for block in intents.intents[name].data
        for sentence in block.sentences
    ]
    found: dict[str, None] = {}  # a set that keeps its order: the seed decides everything
    for _ in range(WALKS_PER_INTENT):
        expression, lists = rng.choice(templates)
        text = _walk(expression, lists, intents.expansion_rules, rng)
        found[" ".join(text.lower().split())] = None
        if len(found) == SENTENCES_PER_INTENT:
            break
    return list(found)


def _values_of_lists(block, intents: Intents) -> dict:
    """What {list} stands for in one block of templates: our values before the package's."""
    domains = block.requires_context.get("domain", [])
    domains = [domains] if isinstance(domains, str) else domains
    names = [name for domain in domains for name in NAMES[domain]]
    ours = {name: TextSlotList.from_strings(texts) for name, texts in LISTS.items()}
    return {**intents.slot_lists, **ours, "name": TextSlotList.from_strings(names)}


def _walk(expression, lists: dict, rules: dict, rng: random.Random) -> str:
    """One sentence of a template: at each choice, one way at random."""

    def walk(part) -> str:
        return _walk(part, lists, rules, rng)

    if isinstance(expression, TextChunk):
        return expression.original_text
    if isinstance(expression, RuleReference):
        return walk(rules[expression.rule_name].expression)
    if isinstance(expression, ListReference):
        values = lists[expression.list_name]
        if isinstance(values, RangeSlotList):
            return str(rng.choice(list(values.get_numbers())))
        return walk(rng.choice(values.values).text_in)
    if isinstance(expression, Alternative):
        return walk(rng.choice(expression.items))
    parts = list(expression.items)
    if isinstance(expression, Permutation):
        rng.shuffle(parts)
    return "".join(walk(part) for part in parts)


def _without_ambiguous(by_intent: dict[str, list[str]]) -> dict[str, list[str]]:
    """Leaves out each sentence that two intents claim: it has no right answer."""
    seen = set()
    claimed_twice = set()
    for sentence in itertools.chain.from_iterable(by_intent.values()):
        (claimed_twice if sentence in seen else seen).add(sentence)
    return {
        intent: [sentence for sentence in sentences if sentence not in claimed_twice]
        for intent, sentences in by_intent.items()
    }


def _split(by_intent: dict[str, list[str]]) -> Splits:
    splits = Splits([], [], [])
    largest = max(len(sentences) for sentences in by_intent.values())
    train_size = largest - 2 * (largest // HELD_OUT_PART)
    for intent, sentences in by_intent.items():
        held_out = len(sentences) // HELD_OUT_PART  # of fewer than ten, all are for training
        repeated = itertools.islice(itertools.cycle(sentences[2 * held_out:]), train_size)
        splits.train.extend((sentence, intent) for sentence in repeated)
        splits.validation.extend((sentence, intent) for sentence in sentences[:held_out])
        splits.test.extend((s, intent) for s in sentences[held_out:2 * held_out])
    return splits
