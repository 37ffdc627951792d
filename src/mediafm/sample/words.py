"""Lines that the characters speak, by tone and place; all written for this sample."""

from __future__ import annotations

SPOKEN: dict[str, tuple[str, ...]] = {
    "calm": (
        "Good to see you back.",
        "Nothing ever changes around here.",
        "Take your time, we are early.",
        "I kept your seat for you.",
        "You always arrive with the weather.",
        "Tell me from the beginning.",
        "That is how it started.",
        "We have the whole evening.",
    ),
    "funny": (
        "That was not supposed to be glue.",
        "I can explain the goat.",
        "You put the hamster where?",
        "Nobody panic. I am panicking enough for all of us.",
        "It was a very small explosion.",
        "I followed the recipe, except for the recipe part.",
        "Why is the piano wet?",
        "Technically, it is still a cake.",
        "Do not open that cupboard.",
        "I practised this in front of a mirror, and the mirror left.",
    ),
    "tense": (
        "Someone has been here.",
        "Keep your voice down.",
        "Who else knew about the key?",
        "You are lying, and badly.",
        "They moved it last night.",
        "Do not turn around.",
        "If he calls again, say nothing.",
        "We have until midnight, not longer.",
        "That is not my handwriting.",
    ),
    "scary": (
        "Did you hear that?",
        "It is right behind the wall.",
        "Do not look at its eyes.",
        "The light. Keep the light on.",
        "That door was closed.",
        "It knows our names.",
    ),
    "action": (
        "Run!",
        "This way, hurry!",
        "He is getting away!",
        "Jump, now!",
        "Behind you!",
        "Do not stop!",
    ),
    "sad": (
        "I should have called you.",
        "She kept every letter.",
        "There is nothing left to say.",
        "I still set the table for two.",
        "Will you write to me?",
        "It was his favourite coat.",
        "I am not angry. I am only tired.",
        "Then this is goodbye.",
    ),
    "romantic": (
        "I hoped it would be you.",
        "You remembered the song.",
        "Stay a little longer.",
        "I have been rehearsing this for a year.",
        "Your hands are cold. Take mine.",
        "Dance with me, there is no one here.",
        "I think I missed the last train on purpose.",
    ),
    "wonder": (
        "I have never seen so many colours.",
        "It is older than the sun.",
        "Listen. It is singing.",
        "We are the first ones here.",
        "All those lights, and every one a place.",
        "It is more beautiful than the charts.",
    ),
}
"""Dialogue by tone."""

PLACE_LINES: dict[str, tuple[str, ...]] = {
    "harbour": (
        "The boat leaves with the tide.",
        "Check the third pier.",
        "Smell that? Rain from the sea.",
    ),
    "forest": (
        "The path was here yesterday.",
        "Stay where I can see your lantern.",
        "These trees are too quiet.",
    ),
    "street": (
        "Past the bakery, then left.",
        "The whole street is asleep.",
        "Taxi! No? Fine, we walk.",
    ),
    "desert": (
        "Forty miles to the next water.",
        "The engine is as hot as the road.",
        "Somebody fill the tank.",
    ),
    "planet": (
        "Two moons, and both of them full.",
        "The dust tastes like iron.",
        "The ship can wait.",
    ),
    "kitchen": ("Who finished the soup?", "Put the kettle on.", "Mind the stove, it bites."),
    "classroom": (
        "Books open, page forty.",
        "Who drew this on my blackboard?",
        "The bell has not rung yet.",
    ),
    "bridge": (
        "Course is set, captain.",
        "The left engine is complaining again.",
        "Put it on the big window.",
    ),
    "stage": (
        "Good evening! This one is new.",
        "Two more songs, then home.",
        "Turn the drums down a little.",
    ),
    "diner": (
        "Coffee, black, and the whole pie.",
        "This booth has heard everything.",
        "Kitchen closes in ten.",
    ),
    "lighthouse": (
        "Wind the lamp before dark.",
        "Ninety steps, I counted twice.",
        "No ship has passed for a week.",
    ),
}
"""Dialogue that belongs to a place, whatever the tone."""

SOUNDS: dict[str, tuple[str, ...]] = {
    "harbour": ("waves lapping", "ship horn in the distance", "gulls crying"),
    "forest": ("wind in the trees", "twig snaps", "owl hoots"),
    "street": ("traffic rumbling", "car horn", "distant siren"),
    "desert": ("wind howling", "truck passing", "sign creaking"),
    "planet": ("crystals humming", "low wind", "airlock hissing"),
    "kitchen": ("kettle whistling", "clock ticking", "plates clattering"),
    "classroom": ("school bell rings", "chalk squeaking", "children laughing"),
    "bridge": ("console beeping", "engine humming", "alarm sounding"),
    "stage": ("crowd cheering", "applause", "guitar chord"),
    "diner": ("coffee pouring", "jukebox playing", "bell over the door rings"),
    "lighthouse": ("wind against the glass", "gears turning", "sea roaring below"),
}
"""What is heard in a place, without brackets."""

TONE_SOUNDS: dict[str, tuple[str, ...]] = {
    "tense": ("door slams", "footsteps approaching", "phone ringing"),
    "scary": ("door slams", "floor creaks", "breathing nearby"),
    "action": ("running footsteps", "glass shatters", "tyres squealing"),
    "sad": ("sighs", "soft piano music"),
    "funny": ("crash", "cheerful music", "slide whistle"),
    "romantic": ("gentle music", "laughs softly"),
    "wonder": ("choir singing", "shimmering music"),
    "calm": ("quiet music",),
}
"""What is heard in a tone, without brackets."""
