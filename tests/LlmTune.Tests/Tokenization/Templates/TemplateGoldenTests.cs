using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tests.Tokenization.Templates;

/// <summary>Renders, errors and {% generation %} spans against Jinja2 as transformers sets it up (area tokenizers, kinds templates and jinja-features).</summary>
public class TemplateGoldenTests
{
    public static IEnumerable<TheoryDataRow<string>> Templates => OfKind("templates");

    public static IEnumerable<TheoryDataRow<string>> Features => OfKind("jinja-features");

    [Theory]
    [MemberData(nameof(Templates))]
    public void Templates_render_as_in_Jinja2(string folder)
    {
        var golden = Golden.Read(folder);
        CheckFields(golden, "case", "library", "versions", "kind", "conversations", "templates", "lines", "count", "error_count", "span_count", "none_count");
        var conversations = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, golden.GetProperty("conversations").GetString()!)))!;
        var clock = new FixedClock(DateTime.Parse(conversations["now"]!.GetValue<string>(), null));
        var templates = golden.GetProperty("templates").EnumerateObject()
            .ToDictionary(t => t.Name, t => Template.Parse(File.ReadAllText(Path.Combine(folder, t.Value.GetString()!)), t.Name));
        var problems = new List<string>();
        var (count, errors, spans, nones) = (0, 0, 0, 0);
        foreach (var line in Lines(folder, golden))
        {
            CheckFields(line, "template", "case", "out", "error", "generation_spans_codepoints", "huggingface_jinja_agrees", "none");
            var (name, conversation) = (line.GetProperty("template").GetString()!, line.GetProperty("case").GetString()!);
            var variables = (JsonObject)conversations["common"]!.DeepClone();
            foreach (var (key, value) in conversations["cases"]![conversation]!.AsObject()) variables[key] = value?.DeepClone();
            count++;
            errors += line.TryGetProperty("error", out _) ? 1 : 0;
            spans += line.TryGetProperty("generation_spans_codepoints", out _) ? 1 : 0;
            Compare(line, templates[name], variables, clock, $"{name}, {conversation}", problems);
            foreach (var absent in new[] { "tools", "documents" }) variables.TryAdd(absent, null);
            var none = line.TryGetProperty("none", out var different) ? different : line;
            nones += line.TryGetProperty("none", out _) ? 1 : 0;
            // A line that fails either way has no "none", though what it fails on may differ.
            if (line.TryGetProperty("error", out _) && !line.TryGetProperty("none", out _)) Assert.Throws<TemplateException>(() => templates[name].Render(variables, clock));
            else Compare(none, templates[name], variables, clock, $"{name}, {conversation}, tools none", problems);
        }
        Assert.True(problems.Count == 0, string.Join("\n", problems));
        Assert.Equal((Number(golden, "count"), Number(golden, "error_count"), Number(golden, "span_count"), Number(golden, "none_count")), (count, errors, spans, nones));
        Golden.Ran("tokenizers");
    }

    [Theory]
    [MemberData(nameof(Features))]
    public void Features_of_Jinja_work(string folder)
    {
        var golden = Golden.Read(folder);
        CheckFields(golden, "case", "library", "versions", "kind", "lines", "count");
        var lines = Lines(folder, golden).ToList();
        var problems = new List<string>();
        var variables = JsonObject.Create(lines[0].GetProperty("vars"))!;
        foreach (var line in lines.Skip(1))
        {
            CheckFields(line, "template", "out", "error", "gen");
            var source = line.GetProperty("template").GetString()!;
            Template? template = null;
            try
            {
                template = Template.Parse(source);
            }
            catch (TemplateException e)
            {
                CompareError(line, e, source, problems);
            }
            if (template is not null) Compare(line, template, variables, new FixedClock(new DateTime(2025, 7, 10, 12, 0, 0)), source, problems);
        }
        Assert.True(problems.Count == 0, string.Join("\n", problems));
        Assert.Equal(Number(golden, "count"), lines.Count - 1);
        Golden.Ran("tokenizers");
    }

    private static void Compare(JsonElement expected, Template template, JsonObject variables, TimeProvider clock, string what, List<string> problems)
    {
        try
        {
            var rendered = template.Render(variables, clock);
            if (!expected.TryGetProperty("out", out var text)) problems.Add($"{what}: expected {expected.GetProperty("error")}, got {Show(rendered.Text)}");
            else if (text.GetString() != rendered.Text) problems.Add($"{what}:\n  expected {Show(text.GetString()!)}\n  got      {Show(rendered.Text)}");
            var name = expected.TryGetProperty("gen", out _) ? "gen" : "generation_spans_codepoints";
            var spans = expected.TryGetProperty(name, out var list) ? list.EnumerateArray().Select(s => (s[0].GetInt32(), s[1].GetInt32())).ToList() : [];
            var found = rendered.Generated.Select(s => (CodePoint(rendered.Text, s.Start), CodePoint(rendered.Text, s.End))).ToList();
            if (!spans.SequenceEqual(found)) problems.Add($"{what}: expected spans {string.Join(' ', spans)}, got {string.Join(' ', found)}");
        }
        catch (TemplateException e)
        {
            CompareError(expected, e, what, problems);
        }
    }

    /// <summary>
    /// Errors are Python's "Type: message", cut at 160 characters, some without white space at their end; the type is not carried over.
    /// </summary>
    private static void CompareError(JsonElement expected, TemplateException error, string what, List<string> problems)
    {
        if (!expected.TryGetProperty("error", out var text))
        {
            problems.Add($"{what}: {error.Message}");
            return;
        }
        var message = text.GetString()!;
        var got = message[..(message.IndexOf(": ", StringComparison.Ordinal) + 2)] + error.Problem;
        if (got[..Math.Min(got.Length, 160)].TrimEnd() != message.TrimEnd()) problems.Add($"{what}: expected error {message}, got {got}");
        if (error.Line < 1) problems.Add($"{what}: no line in {error.Message}");
    }

    private static IEnumerable<JsonElement> Lines(string folder, JsonElement golden) =>
        File.ReadAllText(Path.Combine(folder, golden.GetProperty("lines").GetString()!)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonDocument.Parse(l).RootElement);

    private static IEnumerable<TheoryDataRow<string>> OfKind(string kind) => Golden.Cases("tokenizers").Where(c => Golden.Read(c.Data).GetProperty("kind").GetString() == kind);

    private static int Number(JsonElement golden, string name) => golden.GetProperty(name).GetInt32();

    private static int CodePoint(string text, int unit) => text.AsSpan(0, unit).ToString().EnumerateRunes().Count();

    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string Show(string text) => JsonSerializer.Serialize(text, Plain);

    private static void CheckFields(JsonElement element, params string[] known)
    {
        foreach (var property in element.EnumerateObject())
            Assert.True(known.Contains(property.Name), $"the field '{property.Name}' is not understood by this test");
    }
}

/// <summary>A clock that stands still, in a zone without offset.</summary>
internal sealed class FixedClock(DateTime now) : TimeProvider
{
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => new(DateTime.SpecifyKind(now, DateTimeKind.Utc));
}
