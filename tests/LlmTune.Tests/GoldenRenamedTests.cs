using System.Text.Json;
using System.Text.RegularExpressions;
using LlmTune.Tests.Adapters;
using LlmTune.Tests.Data;
using LlmTune.Tests.Generation;
using LlmTune.Tests.Models;
using LlmTune.Tests.Tokenization;
using LlmTune.Tests.Tokenization.Templates;
using LlmTune.Tests.Training;
using Xunit.Sdk;

namespace LlmTune.Tests;

/// <summary>
/// The golden tests themselves: cases under other names and in other folders are known by what they hold, so that as many are compared
/// and as many skipped, and none fails.
/// </summary>
[Collection(GoldenSummary.Name)]
public sealed class GoldenRenamedTests
{
    private static readonly Dictionary<string, Action<string>> Areas = new(StringComparer.Ordinal)
    {
        ["models"] = folder => new ModelGoldenTests().Model_equals_transformers(folder),
        ["generate"] = folder => new GenerateGoldenTests().Generation_equals_transformers(folder),
        ["peft"] = folder => new PeftGoldenTests().Adapter_equals_peft(folder),
        ["trl"] = folder => new TrlGoldenTests().Rows_become_the_same_tokens(folder),
        ["trainer"] = folder => new TrainerGoldenTests().A_curve_equals_the_trainers(folder),
        ["optim"] = folder => new OptimGoldenTests().Steps_equal_the_libraries(folder),
        ["tokenizers"] = Tokenizers,
    };

    public static IEnumerable<TheoryDataRow<string>> Names => Areas.Keys.Select(area => new TheoryDataRow<string>(area));

    [Theory]
    [MemberData(nameof(Names))]
    public void Other_names_change_nothing(string area)
    {
        using var copy = new TemporaryFolder();
        List<string> usual = [], renamed = [];
        foreach (var (root, number) in Golden.Roots.Where(root => Directory.Exists(Path.Combine(root, area))).Select((root, i) => (root, i)))
        {
            usual.AddRange(Renamed.Cases(Path.Combine(root, area)));
            Renamed.Copy(root, area, copy[$"{number}"]);
            renamed.AddRange(Renamed.Cases(Path.Combine(copy[$"{number}"], area)));
        }
        var outcome = Outcomes(area, renamed);
        // Where the area has run whole in this process, what came of it is known.
        var known = Golden.Summary.GetValueOrDefault(area);
        var expected = known.Run + known.Skipped == usual.Count ? (known.Run, known.Skipped, "") : Outcomes(area, usual);
        Assert.True((expected.Run, expected.Skipped) == (outcome.Run, outcome.Skipped), $"{area}: {expected.Run} run and {expected.Skipped} skipped, under other names {outcome.Run} and {outcome.Skipped}:\n{outcome.Failures}");
    }

    /// <summary>How many cases are compared, and how many the program refuses; the others fail.</summary>
    private static (int Run, int Skipped, string Failures) Outcomes(string area, IReadOnlyList<string> folders)
    {
        var (run, skipped, failures) = (0, 0, new List<string>());
        foreach (var folder in folders)
        {
            try
            {
                Golden.Again(() => Areas[area](folder));
                run++;
            }
            catch (SkipException)
            {
                skipped++;
            }
            catch (Exception e)
            {
                var origin = Path.Combine(folder, Renamed.Origin);
                failures.Add($"{(File.Exists(origin) ? File.ReadAllText(origin) : folder)}: {e.Message}");
            }
        }
        return (run, skipped, string.Join('\n', failures));
    }

    private static void Tokenizers(string folder)
    {
        switch (Golden.Read(folder).GetProperty("kind").GetString())
        {
            case "templates":
                new TemplateGoldenTests().Templates_render_as_in_Jinja2(folder);
                break;
            case "jinja-features":
                new TemplateGoldenTests().Features_of_Jinja_work(folder);
                break;
            default:
                new TokenizerGoldenTests().Equals_the_reference(folder);
                break;
        }
    }

    /// <summary>A copy of an area in which every case and every folder that cases share has another name.</summary>
    private static class Renamed
    {
        /// <summary>Where a renamed case says what it was.</summary>
        public const string Origin = "origin.txt";

        public static IEnumerable<string> Cases(string area) =>
            Directory.EnumerateFiles(area, "case.json", SearchOption.AllDirectories).Select(file => Path.GetDirectoryName(file)!).Order(StringComparer.Ordinal);

        public static void Copy(string root, string area, string target)
        {
            var source = Path.Combine(root, area);
            var names = new Dictionary<string, string>(StringComparer.Ordinal);   // the folders' old and new places below the root
            foreach (var folder in Directory.EnumerateDirectories(source, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                var parent = Path.GetDirectoryName(folder)!;
                var isNamed = parent == source || File.Exists(Path.Combine(folder, "case.json"));
                names[folder] = Path.Combine(parent == source ? Path.Combine(target, area) : names[parent], isNamed ? $"a folder {names.Count}" : Path.GetFileName(folder));
            }
            foreach (var (from, to) in names)
            {
                Directory.CreateDirectory(to);
                foreach (var file in Directory.EnumerateFiles(from))
                {
                    var place = Path.Combine(to, Path.GetFileName(file));
                    if (Path.GetFileName(file) != "case.json")
                    {
                        File.Copy(file, place);
                        continue;
                    }
                    File.WriteAllText(place, Rewritten(File.ReadAllText(file), from, to, source, names));
                    File.WriteAllText(Path.Combine(to, Origin), Path.GetFileName(from));
                }
            }
        }

        /// <summary>The text of a case.json with another name, and with its paths, where they lead now.</summary>
        private static string Rewritten(string text, string from, string to, string area, Dictionary<string, string> names)
        {
            using var document = JsonDocument.Parse(text);
            var changed = new Dictionary<string, string>(StringComparer.Ordinal);
            Visit(document.RootElement);
            foreach (var (old, now) in changed) text = text.Replace(JsonSerializer.Serialize(old, Plain), JsonSerializer.Serialize(now, Plain), StringComparison.Ordinal);
            return Regex.Replace(text, "(\"case\"\\s*:\\s*)\"[^\"]*\"", "$1\"a case\"");

            void Visit(JsonElement element)
            {
                if (element.ValueKind == JsonValueKind.Object)
                {
                    foreach (var field in element.EnumerateObject())
                    {
                        if (field.Name == "base" && field.Value.ValueKind == JsonValueKind.String && names.TryGetValue(Path.Combine(area, field.Value.GetString()!), out var now))
                            changed[field.Value.GetString()!] = Path.GetFileName(now);
                        else Visit(field.Value);
                    }
                }
                if (element.ValueKind == JsonValueKind.Array)
                    foreach (var item in element.EnumerateArray()) Visit(item);
                if (element.ValueKind != JsonValueKind.String || element.GetString() is not ['.', '.', '/', ..] relative) return;
                var old = Path.GetFullPath(Path.Combine(from, relative));
                var inside = names.Keys.Where(folder => old == folder || old.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)).MaxBy(folder => folder.Length);
                var place = inside is null ? old : names[inside] + old[inside.Length..];
                changed[relative] = Path.GetRelativePath(to, place);
            }
        }

        private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    }
}
