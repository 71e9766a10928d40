#!/usr/bin/env python3
"""Chat templates over rows with calls, results and reasoning: what LlmTune trains on against what Transformers renders.

Needs transformers (5.23 is what the table in LOG.md was made with) and a build of tests/LlmTune.Benchmarks:

    dotnet build tests/LlmTune.Benchmarks -c Release
    python scripts/templates.py --tokenizer models/stories260K \
        --program out/build/bin/LlmTune.Benchmarks/release/LlmTune.Benchmarks FILE_OR_FOLDER ...

Folders are searched for *.jinja and *.jinja2 files; a JSON file may hold {"cases": [{"name", "template"}]}. Equal templates count once.
A row that Transformers writes in several forms (content of a turn without text left out, null or ""; arguments as objects or as text;
results as they are or as text) has as its right text that of the first form without damage (the word None, HTML's marks, JSON in quotes
or as Python prints it) in which the call and its result are written. It counts as
    equal        LlmTune's text is that one
    left out     no form writes both; LlmTune's text is that of one without damage
    both refuse  no form writes both, Transformers refuses the row as it is, and so does LlmTune
    we refuse    LlmTune refuses any other row
    we render    no form is without damage, and LlmTune writes a text
    wrong        any other text
"""
import argparse
import collections
import itertools
import json
import pathlib
import subprocess
import tempfile

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
TOOLS = [{"type": "function", "function": {
    "name": "tide", "description": "Height of the tide now",
    "parameters": {"type": "object", "properties": {"port": {"type": "string", "description": "A harbour"}}, "required": ["port"]}}}]
ARGUMENTS = {"port": "Brest"}


def call(arguments, number=1):
    return {"id": f"call0000{number}", "type": "function", "function": {"name": "tide", "arguments": arguments}}


def round_trip(calls, results, content="", **turn):
    """A question, the calls, their results, and an answer."""
    assistant = {"role": "assistant", "content": content, **turn}
    if calls is not None:
        assistant["tool_calls"] = calls
    return {"messages": [
        {"role": "user", "content": "High water at Brest?"}, assistant,
        *({"role": "tool", "tool_call_id": f"call0000{i + 1}", "name": "tide", "content": r} for i, r in enumerate(results)),
        {"role": "assistant", "content": "It is 6.4 m."}], "tools": TOOLS}


def chat(*turns):
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def reasoned(field):
    row = chat(("user", "7*6?"), ("assistant", "42"), ("user", "And 7*7?"), ("assistant", "49"))
    row["messages"][1][field] = "seven sixes"
    row["messages"][3][field] = "seven sevens"
    return row


TEXT = json.dumps(ARGUMENTS)
ROWS = {
    "plain": chat(("user", "7*6?"), ("assistant", "42")),
    "system": chat(("system", "Be brief."), ("user", "7*6?"), ("assistant", "42")),
    "developer": chat(("developer", "Be brief."), ("user", "7*6?"), ("assistant", "42")),
    "several turns": chat(("user", "7*6?"), ("assistant", "42"), ("user", "And 7*7?"), ("assistant", "49")),
    "call, object": round_trip([call(ARGUMENTS)], ["6.4 m"]),
    "call, text": round_trip([call(TEXT)], ["6.4 m"]),
    "call, null content": round_trip([call(TEXT)], ["6.4 m"], content=None),
    "result object": round_trip([call(ARGUMENTS)], [{"metres": 6.4}]),
    "result list": round_trip([call(ARGUMENTS)], [[{"metres": 6.4}]]),
    "several calls": round_trip([call(TEXT), call(json.dumps({"port": "Cork"}), 2)], ["6.4 m", "3.9 m"], content=None),
    "function role": {"messages": [
        {"role": "user", "content": "High water at Brest?"},
        {"role": "assistant", "content": None, "function_call": {"name": "tide", "arguments": TEXT}},
        {"role": "function", "name": "tide", "content": "6.4 m"}, {"role": "assistant", "content": "It is 6.4 m."}],
        "functions": [TOOLS[0]["function"]]},
    "reasoning_content": reasoned("reasoning_content"),
    "thinking": reasoned("thinking"),
    "reasoning": reasoned("reasoning"),
    "reasoning and call": round_trip([call(TEXT)], ["6.4 m"], content=None, reasoning_content="Ask the tide table."),
    "empty turn": chat(("user", "7*6?"), ("assistant", ""), ("user", "Well?"), ("assistant", "42")),
    "same role twice": chat(("user", "7*6?"), ("user", "Quick!"), ("assistant", "42"), ("assistant", "Forty-two.")),
}


def templates_of(paths):
    found = {}
    def add(name, source):
        if source not in found.values():
            found[name if name not in found else f"{name} ({len(found)})"] = source
    for path in map(pathlib.Path, paths):
        files = sorted(f for f in path.rglob("*") if f.suffix in (".jinja", ".jinja2", ".j2")) if path.is_dir() else [path]
        for file in files:
            if file.suffix == ".json":
                for case in json.loads(file.read_text())["cases"]:
                    add(case["name"], case["template"])
            else:
                with file.open(newline="") as stream:
                    add(file.stem if file.stem != "chat_template" else file.parent.parent.name, stream.read())
    return found


def calls_of(row):
    return any("tool_calls" in m or "function_call" in m for m in row["messages"])


def modern(row):
    """OpenAI's older form of a call in today's."""
    row = json.loads(json.dumps(row))
    for message in row["messages"]:
        if "function_call" in message:
            message["tool_calls"] = [{"type": "function", "function": message.pop("function_call")}]
        if message["role"] == "function":
            message["role"] = "tool"
    if "functions" in row:
        row["tools"] = [{"type": "function", "function": f} for f in row.pop("functions")]
    return row


def forms(row):
    """The row in every form that says the same, the row's own first, each with whether content is null in it."""
    row = modern(row)
    without = {"object": lambda value: value, "text": lambda value: json.dumps(value, ensure_ascii=False)}
    silent = [m["content"] for m in row["messages"] if "tool_calls" in m]
    contents = (["absent", None, ""] if silent[0] is None else ["", "absent", None]) if silent else [None]
    for content, arguments, results in itertools.product(contents, without, ("as it is", "text")):
        other = json.loads(json.dumps(row))
        for message in other["messages"]:
            if message["role"] == "tool" and results == "text" and not isinstance(message["content"], str):
                message["content"] = json.dumps(message["content"], ensure_ascii=False)
            if "tool_calls" not in message:
                continue
            message["content"] = content
            for tool_call in message["tool_calls"]:
                given = tool_call["function"]["arguments"]
                tool_call["function"]["arguments"] = without[arguments](json.loads(given) if isinstance(given, str) else given)
        yield other, silent and content is None


def render(tokenizer, template, row, keeps_null):
    messages = json.loads(json.dumps(row["messages"]))
    for message in messages:
        if message.get("content") == "absent":
            del message["content"]
    try:
        if keeps_null:   # apply_chat_template would leave it out
            return render_jinja_template([messages], tools=row.get("tools"), chat_template=template, **TOKENS)[0][0]
        return tokenizer.apply_chat_template(messages, tools=row.get("tools"), chat_template=template, tokenize=False)
    except Exception:   # whatever a template raises
        return None


def behind_question(text):
    return text[max(0, text.rfind("High water at Brest?")):]


def damaged(text, row):
    """Whether a call or a result stands there as it should not."""
    marks = ("None", "&#34;", "&#39;", "&quot;", '\\"port', "'port'", '\\"metres', "'metres'")
    return calls_of(row) and any(mark in behind_question(text) for mark in marks)


def is_whole(text, row):
    """Whether every call and every result is written."""
    if not calls_of(row):
        return True
    turns = behind_question(text).replace("High water at Brest?", "").replace("It is 6.4 m.", "")
    words = ["tide", "port", "Brest", "6.4"] + (["Cork", "3.9"] if "Cork" in json.dumps(row) else [])
    return all(word in turns for word in words)


def reference(tokenizer, template, row):
    """The right text, None where there is none; every text without damage; whether Transformers renders the row as it is."""
    texts = [(render(tokenizer, template, form, keeps_null), form) for form, keeps_null in forms(row)]
    texts = [(text, form) for text, form in texts if text is not None and not damaged(text, form)]
    right = next((text for text, form in texts if is_whole(text, form)), None)
    return right, [text for text, _ in texts], render(tokenizer, template, modern(row), keeps_null=False) is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--program", required=True, action="append", help="build of LlmTune.Benchmarks; several are held side by side")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--verbose", action="store_true", help="every row that is not equal")
    args = parser.parse_args()
    templates = templates_of(args.paths)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>")), **TOKENS)
    expected = {(t, r): reference(tokenizer, source, row) for t, source in templates.items() for r, row in ROWS.items()}
    print(f"{len(templates)} templates x {len(ROWS)} rows")
    with tempfile.TemporaryDirectory() as folder:
        jobs = pathlib.Path(folder, "jobs.json")
        jobs.write_text(json.dumps({"templates": templates, "rows": ROWS, "variables": TOKENS}))
        for program in args.program:
            output = subprocess.run([program, "templates", "--jobs", jobs, "--tokenizer", args.tokenizer], check=True, capture_output=True, text=True).stdout
            table(program, map(json.loads, output.splitlines()), expected, args.verbose)


def table(program, lines, expected, verbose):
    counts = collections.defaultdict(collections.Counter)
    for line in lines:
        row, text = line["row"], line.get("text")
        right, undamaged, is_rendered = expected[line["template"], row]
        if text is None:
            kind = "we refuse" if right is not None or is_rendered else "both refuse"
        elif right is not None:
            kind = "equal" if text == right else "wrong"
        else:
            kind = "left out" if text in undamaged else "wrong" if undamaged else "we render"
        counts[row][kind] += 1
        counts["all"][kind] += 1
        if verbose and kind not in ("equal", "both refuse", "left out"):
            print(json.dumps({"kind": kind, **line, "right": right, "undamaged": undamaged}, ensure_ascii=False))
    kinds = ["equal", "left out", "both refuse", "we refuse", "we render", "wrong"]
    print(f"\n{program}\n| row | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}")
    for row, its in counts.items():
        print(f"| {row} | {' | '.join(str(its[k]) for k in kinds)} |")


if __name__ == "__main__":
    main()
