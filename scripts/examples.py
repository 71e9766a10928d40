"""Makes examples/questions.jsonl and examples/held-out.jsonl: two facts in the words of little stories, a question about one of them.
Run in the repository root: python3 scripts/examples.py. Seeded: the same files every time; no held-out pair of facts is trained on."""
import json, random

random.seed(7)
names = ["Tom", "Lily", "Ben", "Mia", "Sam", "Lucy", "Max", "Anna"]
colors = ["red", "blue", "green", "big", "small", "pink"]
things = ["ball", "hat", "car", "box", "book", "dog", "cake", "bike"]
rows, seen = {"questions": [], "held-out": []}, set()
while len(rows["held-out"]) < 100:
    (a, b), (c, d), (x, y) = random.sample(names, 2), random.sample(colors, 2), random.sample(things, 2)
    facts = f"{a} has a {c} {x}. {b} has a {d} {y}."
    if facts in seen: continue
    seen.add(facts)
    question, answer = random.choice([(f"Who has the {x}?", a), (f"Who has the {y}?", b), (f"What does {a} have?", f"a {c} {x}"), (f"What does {b} have?", f"a {d} {y}")])
    row = {"prompt": f"{facts} {question}", "completion": f" {answer[0].upper()}{answer[1:]}."}
    rows["questions" if len(rows["questions"]) < 3000 else "held-out"].append(row)
for name, made in rows.items():
    with open(f"examples/{name}.jsonl", "w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row) + "\n" for row in made)
