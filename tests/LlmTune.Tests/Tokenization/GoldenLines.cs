using System.Text;
using System.Text.Json;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Lines of a golden case, the tokenizers they name, and what was found wrong with them.</summary>
internal sealed class GoldenLines(string folder)
{
    private readonly Dictionary<string, HfTokenizer> _tokenizers = [];
    private readonly List<string> _problems = [];

    public JsonElement Case { get; } = Golden.Read(folder);

    public string Folder => folder;

    /// <summary>The tokenizer that a line's name stands for.</summary>
    public HfTokenizer Tokenizer(string name)
    {
        if (_tokenizers.TryGetValue(name, out var tokenizer)) return tokenizer;
        var path = Path.GetFullPath(Path.Combine(folder, Case.GetProperty("tokenizers").GetProperty(name).GetString()!));
        return _tokenizers[name] = HfTokenizer.Load(path);
    }

    /// <summary>The objects of a file, a line each. Texts hold U+2028 and U+0085, which end no line here.</summary>
    public IEnumerable<(int Number, JsonElement Line)> Read(string property)
    {
        var number = 0;
        foreach (var line in File.ReadAllText(Path.Combine(folder, Case.GetProperty(property).GetString()!)).Split('\n'))
        {
            number++;
            if (line.Length > 0) yield return (number, JsonElement.Parse(line));
        }
    }

    /// <summary>Fails on fields that the test does not understand.</summary>
    public static void Knows(JsonElement element, string where, params string[] fields)
    {
        foreach (var field in element.EnumerateObject())
        {
            if (!fields.Contains(field.Name)) Assert.Fail($"{where}: the test does not understand the field '{field.Name}'");
        }
    }

    public void Equal<T>(int number, string what, IReadOnlyList<T> expected, IReadOnlyList<T> actual)
    {
        if (!expected.SequenceEqual(actual)) Add(number, $"{what}: expected [{string.Join(", ", expected)}], got [{string.Join(", ", actual)}]");
    }

    public void Equal(int number, string what, string expected, string actual)
    {
        if (!string.Equals(expected, actual, StringComparison.Ordinal)) Add(number, $"{what}: expected {JsonSerializer.Serialize(expected)}, got {JsonSerializer.Serialize(actual)}");
    }

    public void Add(int number, string problem) => _problems.Add($"line {number}: {problem}");

    /// <summary>Fails if anything was found; says how much and shows the first.</summary>
    public void Finish(int lines)
    {
        Assert.True(lines > 0, "the case has no lines");
        if (_problems.Count > 0) Assert.Fail($"{_problems.Count} problems in {lines} lines:\n{string.Join('\n', _problems.Take(12))}");
    }

    /// <summary>A text of a line: itself, or its UTF-16 units where it holds a lone surrogate.</summary>
    public static string? Text(JsonElement line, string name)
    {
        if (line.TryGetProperty(name, out var text)) return text.GetString();
        var units = line.TryGetProperty(name == "text" ? "utf16" : name + "_utf16", out var value) ? value : default;
        return units.ValueKind == JsonValueKind.Array ? new string([.. units.EnumerateArray().Select(unit => (char)unit.GetInt32())]) : null;
    }

    /// <summary>Numbers; those beyond 2³¹ are ids that no vocabulary has.</summary>
    public static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(value => value.TryGetInt32(out var number) ? number : -1)];

    /// <summary>Spans in code points as spans in UTF-16 units.</summary>
    public static TextSpan[] Spans(JsonElement list, string text) => Spans(list, text, _ => 1);

    /// <summary>Spans in bytes of UTF-8 (sentencepiece's) as spans in UTF-16 units.</summary>
    public static TextSpan[] SpansOfBytes(JsonElement list, string text) => Spans(list, text, rune => rune.Utf8SequenceLength);

    private static TextSpan[] Spans(JsonElement list, string text, Func<Rune, int> size)
    {
        var places = new Dictionary<int, int>();
        var (place, unit) = (0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            places[place] = unit;
            place += size(rune);
            unit += rune.Utf16SequenceLength;
        }
        places[place] = text.Length;
        return [.. list.EnumerateArray().Select(span => new TextSpan(places[span[0].GetInt32()], places[span[1].GetInt32()]))];
    }

    /// <summary>What a library that works on UTF-8 sees of a text.</summary>
    public static string Clean(string text)
    {
        var clean = new StringBuilder();
        foreach (var rune in text.EnumerateRunes()) clean.Append(rune.ToString());
        return clean.ToString();
    }
}
