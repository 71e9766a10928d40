using System.Collections.Frozen;
using LlmTune.Config;

namespace LlmTune.Recipes.Wording;

/// <summary>What is said of wrong names in a run file, on the command line, and as a method of <c>llmtune init</c>.</summary>
internal sealed class RunGlossary : Glossary
{
    /// <summary>What <c>llmtune init --method</c> is called here.</summary>
    public const string Method = "method";

    private static readonly FrozenDictionary<string, Meaning> Keys =
        OtherNames.Keys.Concat(UnbuiltNames.Keys.Select(line => (line.Names, Meaning: Meanings.NotBuilt(line.What))))
            .SelectMany(line => line.Names.Split(' ').Select(name => KeyValuePair.Create(name, line.Meaning)))
            .ToFrozenDictionary();

    public override string? OfKey(UnknownName name)
    {
        var key = name.Key.ToLowerInvariant().Replace('-', '_');
        var section = name.Section.Split('.').LastOrDefault(part => part.Length > 0 && !char.IsAsciiDigit(part[0]));
        return Keys.TryGetValue($"{section}.{key}", out var meaning) || Keys.TryGetValue(key, out meaning) ? meaning(name) : null;
    }

    public override string? OfValue(string setting, string value) =>
        OtherNames.OfValue(setting, value) is { } ours ? Suggest.Write(ours) : UnbuiltNames.OfValue(setting, value);
}
