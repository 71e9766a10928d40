using System.Text.RegularExpressions;

namespace LlmTune.Tests.Build;

public sealed partial class ArchitectureTests
{
    /// <summary>A folder may use those of earlier lines and of its own; two of a line use each other only if <see cref="Mutual"/> says so.</summary>
    private static readonly string[][] Order =
    [
        ["Io", "Native", "Config"],
        ["Tokenization", "Quantization", "Data"],
        ["Layers", "Adapters"],
        ["Models"],
        ["Objectives"],
        ["Training", "Generation", "Evaluation"],
        ["Recipes"],
    ];

    private static readonly (string, string)[] Mutual = [("Adapters", "Layers")];

    [Fact]
    public void Folders_depend_on_each_other_in_one_direction()
    {
        var problems = new List<string>();
        var used = new Dictionary<(string From, string To), string>();
        foreach (var file in Repository.Files("src/LlmTune", ".cs"))
        {
            if (file.Split('/') is not [_, _, var from, _, ..]) continue;   // src/LlmTune/Failures.cs
            if (Line(from) < 0) problems.Add($"{file}: the folder {from} has no place in the order");
            foreach (var (number, text) in Repository.Lines(file).Index())
            {
                foreach (Match use in Use().Matches(text))
                {
                    var to = use.Groups[1].Value;
                    var place = $"{file}:{number + 1}";
                    if (to == from || Line(to) < 0) continue;   // a type of the root namespace
                    if (Line(to) > Line(from)) problems.Add($"{place}: {from} uses {to}, which comes later");
                    used.TryAdd((from, to), place);
                }
            }
        }
        Assert.NotEmpty(used);
        problems.AddRange(used
            .Where(use => string.CompareOrdinal(use.Key.From, use.Key.To) < 0 && used.ContainsKey((use.Key.To, use.Key.From)) && !Mutual.Contains(use.Key))
            .Where(use => Line(use.Key.From) == Line(use.Key.To))
            .Select(use => $"{use.Value} and {used[(use.Key.To, use.Key.From)]}: {use.Key.From} and {use.Key.To} use each other"));
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    /// <summary>Whatever lies outside is named by an environment variable, so that the repository stands alone. (.ci/run sets those.)</summary>
    [Fact]
    public void No_file_names_a_path_outside_the_repository()
    {
        var problems = new List<string>();
        var files = Repository.Files("", ".cs", ".md", ".csproj", ".props", ".targets", ".sln", ".py", ".sh", ".yaml", ".yml").ToList();
        Assert.Contains("README.md", files);
        foreach (var file in files)
        {
            foreach (var (number, text) in Repository.Lines(file).Index())
            {
                var upwards = Upwards().Matches(text).Select(match => match.Length / 3).DefaultIfEmpty(0).Max();
                if (upwards > file.Count(letter => letter == '/') || Elsewhere().IsMatch(text)) problems.Add($"{file}:{number + 1}: {text.Trim()}");
            }
        }
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    private static int Line(string folder) => Array.FindIndex(Order, line => line.Contains(folder));

    [GeneratedRegex(@"\bLlmTune\.([A-Z]\w+)\b(?=[.;])")]
    private static partial Regex Use();

    [GeneratedRegex(@"(?<![\w.])/(?:work|home|root|mnt|Users)/")]
    private static partial Regex Elsewhere();

    [GeneratedRegex(@"(?<![\w.])(?:\.\./)+")]
    private static partial Regex Upwards();
}
