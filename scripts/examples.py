"""Makes examples/questions.jsonl and examples/held-out.jsonl: a fact in the words of little stories, and two questions about it.
Run in the repository root: python3 scripts/examples.py. Seeded: the same files every time; no held-out fact is trained on."""
import itertools, json, random

names = ["Tom", "Lily", "Ben", "Mia", "Sam", "Lucy", "Max", "Anna"]
kinds = ["red", "blue", "green", "big", "small", "pink"]
things = ["ball", "hat", "car", "box", "book", "dog", "cake", "bike"]
facts = list(itertools.product(names, kinds, things))
random.Random(7).shuffle(facts)
for file, part in (("held-out", facts[:50]), ("questions", facts[50:])):
    with open(f"examples/{file}.jsonl", "w", encoding="utf-8", newline="\n") as out:
        for name, kind, thing in part:
            fact = f"One day, {name} had a {kind} {thing}."
            for question, answer in ((f"Who had the {thing}?", name), (f"What did {name} have?", f"A {kind} {thing}")):
                out.write(json.dumps({"prompt": f"{fact} {question}", "completion": f" {answer}."}) + "\n")
