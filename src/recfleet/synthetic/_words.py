"""Readable names for tenants and products."""

from __future__ import annotations

from collections.abc import Iterable

COLOURS = (
    "amber", "blue", "coral", "copper", "crimson", "golden", "green", "indigo", "ivory", "jade",
    "lilac", "olive", "pearl", "ruby", "scarlet", "silver", "teal", "violet", "white", "yellow",
)  # fmt: skip

# A trade and its families of goods. A product's family follows its main topic of taste, so that a
# customer's list reads like one person's taste.
TRADES: dict[str, tuple[str, ...]] = {
    "bakery": (
        "rye loaf",
        "croissant",
        "fruit tart",
        "pretzel",
        "sponge cake",
        "seed roll",
        "brownie",
        "ciabatta",
        "shortbread",
        "cinnamon bun",
    ),
    "bookshop": (
        "atlas",
        "detective novel",
        "cookbook",
        "poetry volume",
        "picture book",
        "biography",
        "travel guide",
        "notebook",
        "field guide",
        "play",
    ),
    "florist": (
        "rose bouquet",
        "orchid",
        "fern",
        "tulip bunch",
        "cactus",
        "wreath",
        "herb pot",
        "vase",
        "lily stem",
        "bonsai",
    ),
    "hardware": (
        "screw box",
        "hinge",
        "paint tin",
        "drill bit",
        "clamp",
        "garden hose",
        "door handle",
        "work lamp",
        "tool case",
        "sandpaper",
    ),
    "kitchen": (
        "saucepan",
        "chef knife",
        "mixing bowl",
        "apron",
        "teapot",
        "baking tray",
        "grater",
        "storage jar",
        "peeler",
        "pepper mill",
    ),
    "music": (
        "guitar string set",
        "drumstick pair",
        "sheet music",
        "reed box",
        "microphone",
        "metronome",
        "violin bow",
        "piano score",
        "cable",
        "tuner",
    ),
    "outdoor": (
        "tent",
        "water bottle",
        "head torch",
        "rucksack",
        "sleeping mat",
        "map case",
        "camp stove",
        "rope",
        "rain jacket",
        "compass",
    ),
    "petshop": (
        "dog lead",
        "cat toy",
        "bird seed",
        "aquarium plant",
        "rabbit hutch",
        "dog biscuit",
        "litter tray",
        "fish food",
        "grooming brush",
        "hamster wheel",
    ),
    "stationery": (
        "fountain pen",
        "ink bottle",
        "greeting card",
        "pencil set",
        "envelope pack",
        "ring binder",
        "ruler",
        "desk calendar",
        "wrapping paper",
        "stamp pad",
    ),
    "teahouse": (
        "green tea",
        "black tea",
        "teacup",
        "herbal blend",
        "tea strainer",
        "honey jar",
        "gift caddy",
        "iron kettle",
        "white tea",
        "biscuit tin",
    ),
    "toyshop": (
        "wooden train",
        "jigsaw",
        "plush bear",
        "board game",
        "kite",
        "doll",
        "building set",
        "marble run",
        "paint box",
        "puppet",
    ),
    "winery": (
        "red wine",
        "white wine",
        "sparkling wine",
        "rose wine",
        "corkscrew",
        "decanter",
        "port",
        "olive oil",
        "grape juice",
        "wine glass",
    ),
}

_QUALITIES = (
    "classic", "country", "fine", "fresh", "grand", "handmade", "happy", "honest", "large",
    "little", "modern", "morning", "mountain", "northern", "old town", "plain", "royal", "rustic",
    "sea", "simple", "small", "southern", "special", "sunny", "travel", "village", "wild", "winter",
)  # fmt: skip


def product_categories(trade: str, topics: Iterable[int]) -> list[str]:
    """The family of goods of each product, as its category.

    Args:
        trade: one of `TRADES`.
        topics: main topic of taste of each product.
    """
    families = TRADES[trade]
    return [families[topic % len(families)] for topic in topics]


def product_names(trade: str, topics: Iterable[int], qualities: Iterable[int]) -> list[str]:
    """Names such as ``Rustic rye loaf 17``; the number keeps them apart.

    Args:
        trade: one of `TRADES`.
        topics: main topic of taste of each product.
        qualities: any number for each product.
    """
    families = TRADES[trade]
    return [
        f"{_QUALITIES[quality % len(_QUALITIES)].capitalize()} "
        f"{families[topic % len(families)]} {number}"
        for number, (topic, quality) in enumerate(zip(topics, qualities, strict=True), start=1)
    ]
