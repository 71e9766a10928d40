using System.Text.RegularExpressions;
using LlmTune.Config;
using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <content>
/// What a plan names must be there. PEFT is content where one entry of several fits; a run file is not, because an adapter that is
/// smaller than was asked for learns less in silence. Folders that PEFT wrote are read by PEFT's rule.
/// </content>
public sealed partial record LoraPlan
{
    private const string Targetable = "linear layer or embedding";

    /// <exception cref="RequestException">Entries of lists or patterns name nothing: all of them, with what could be meant.</exception>
    public void RequireNames(IReadOnlyList<Part> parts)
    {
        var targetable = parts.Where(part => part is LinearPart or Embedding).ToList();
        List<string> problems =
        [
            .. Unnamed("target_modules", Targets, targetable, Targetable),
            .. Excluded is null ? [] : Unnamed("exclude_modules", Excluded, parts, "module"),
            .. UnnamedCopies(parts),
            .. LayersOf(targetable),
        ];
        if (problems.Count == 0)   // the patterns go over what is adapted
        {
            var targets = Select(parts).Select(target => target.Part).ToList();
            problems.AddRange([.. Patterns("rank_pattern", [.. RankPattern.Select(entry => entry.Pattern)], targets, parts),
                .. Patterns("alpha_pattern", [.. AlphaPattern.Select(entry => entry.Pattern)], targets, parts)]);
        }
        if (problems.Count > 0) throw new RequestException(string.Join('\n', problems));
    }

    /// <exception cref="RequestException">An entry of modules_to_save names nothing.</exception>
    public void RequireSavedModules(IReadOnlyList<Part> parts)
    {
        if (UnnamedCopies(parts).FirstOrDefault() is { } problem) throw new RequestException(problem);
    }

    private IEnumerable<string> UnnamedCopies(IReadOnlyList<Part> parts) =>
        Problem("modules_to_save", [.. ModulesToSave.Where(entry => !parts.Any(part => Saves(entry, part.Name)))], parts, "module");

    private static IEnumerable<string> Unnamed(string setting, ModuleSelector selector, IReadOnlyList<Part> parts, string kind) => selector switch
    {
        ModuleSelector.NameList list => Problem(setting, [.. list.Items.Where(item => !parts.Any(ModuleSelector.Names(item).Matches))], parts, kind),
        ModuleSelector.Pattern pattern when !parts.Any(pattern.Matches) => Problem(setting, [pattern.Text], parts, kind, isExpression: true),
        ModuleSelector.Pattern pattern => Problem(setting, [.. StrangeWords(pattern.Text, parts)], parts, kind, $" of '{pattern.Text}'"),
        _ => [],
    };

    private static IEnumerable<string> Patterns(string setting, IReadOnlyList<string> patterns, IReadOnlyList<Part> targets, IReadOnlyList<Part> parts)
    {
        var left = targets.ToList();
        foreach (var pattern in patterns)
        {
            var selector = ModuleSelector.Parse($@"(.*\.)?({pattern})");
            if (!targets.Any(selector.Matches)) yield return Sentence(setting, [pattern], targets, "adapted module", "", parts.Any(selector.Matches) ? [] : [.. HintsOfWords(pattern, targets)], "the adapter has");
            else if (!left.Exists(selector.Matches)) yield return $"{setting} '{pattern}' is never asked: the entries before it name all of its modules";
            else
                foreach (var problem in Problem(setting, [.. StrangeWords(pattern, parts)], targets, "adapted module", $" of '{pattern}'")) yield return problem;
            left.RemoveAll(part => selector.Matches(part));
        }
    }

    private IEnumerable<string> LayersOf(List<Part> parts)
    {
        if (Layers is not { Count: > 0 }) yield break;
        bool Has(int layer, IReadOnlyList<string> pattern) => parts.Any((this with { Layers = [layer], LayersPattern = pattern }).IsInLayers);
        var there = Enumerable.Range(0, Math.Max(Layers.Max() + 1, parts.Count)).Where(layer => Has(layer, LayersPattern)).ToList();
        foreach (var pattern in LayersPattern.Where(pattern => !Enumerable.Range(0, parts.Count).Any(layer => Has(layer, [pattern]))))
            yield return $"layers_pattern '{pattern}' stands before no layer's number in the names of the model, as in {parts.FirstOrDefault(part => part.Name.Any(char.IsAsciiDigit))?.Name}";
        var missing = Layers.Except(there).ToList();
        if (missing.Count > 0 && there.Count > 0)
            yield return $"layers_to_transform [{string.Join(", ", missing)}] {(missing.Count == 1 ? "is no layer" : "are no layers")} of the model; it has {there[0]} to {there[^1]}";
    }

    private bool IsInLayers(Part part) => InLayers(part.Name);

    private static IEnumerable<string> Problem(
        string setting, IReadOnlyList<string> wrong, IReadOnlyList<Part> parts, string kind, string of = "", bool isExpression = false)
    {
        if (wrong.Count == 0) return [];
        var hints = isExpression ? wrong.SelectMany(pattern => HintsOfWords(pattern, parts)) : wrong.SelectMany(name => Hints(name, parts));
        return [Sentence(setting, wrong, parts, kind + (kind == "adapted module" ? "" : " of the model"), of, [.. hints.Distinct()], "it has")];
    }

    private static string Sentence(string setting, IReadOnlyList<string> wrong, IReadOnlyList<Part> parts, string kind, string of, IReadOnlyList<string> hints, string has) =>
        $"{setting} [{string.Join(", ", wrong)}]{of} names no {kind}"
        + (hints.Count == 0 ? $"; {has} {ShortNames(parts)}" : $", did you mean {string.Join(", ", hints.Select(hint => $"'{hint}'"))}?");

    /// <summary>The parts of a module that holds others, or the nearest name with as many words.</summary>
    private static List<string> Hints(string name, IReadOnlyList<Part> parts)
    {
        var inside = parts.Where(part => $".{part.Name}".Contains($".{name}.", StringComparison.Ordinal)).Select(part => part.ShortName).Distinct().ToList();
        if (inside.Count > 0) return inside;
        var words = name.Count(c => c == '.') + 1;
        var candidates = parts.Select(part => part.Name.Split('.')).Where(split => split.Length >= words).Select(split => string.Join('.', split[^words..])).Distinct();
        return Suggest.Nearest(name, candidates) is { } nearest ? [nearest] : [];
    }

    private static IEnumerable<string> HintsOfWords(string pattern, IReadOnlyList<Part> parts)
    {
        var words = parts.SelectMany(part => part.Name.Split('.')).Distinct().ToList();
        return StrangeWords(pattern, parts).Select(word => Suggest.Nearest(word, words)).OfType<string>().Distinct();
    }

    /// <summary>Words of a regular expression that stand in no name, so that the branches they are in can match nothing.</summary>
    private static IEnumerable<string> StrangeWords(string pattern, IReadOnlyList<Part> parts)
    {
        if (LookingAway().IsMatch(pattern)) return [];
        var plain = Syntax().Replace(pattern, " ");
        return Word().Matches(plain)
            .Select(match => match.Groups["optional"].Success ? match.Groups["word"].Value[..^1] : match.Groups["word"].Value)
            .Where(word => word.Length > 2 && !parts.Any(part => part.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            .Distinct();
    }

    [GeneratedRegex(@"\(\?<?!")]
    private static partial Regex LookingAway();

    /// <summary>Escapes, classes of characters, and what may stand behind <c>(?</c>.</summary>
    [GeneratedRegex(@"\\.|\[[^\]]*\]|\(\?(P?<\w+>|P[=>]\w+|[a-zA-Z-]*[:)]|<?=)")]
    private static partial Regex Syntax();

    [GeneratedRegex(@"(?<word>[A-Za-z_][A-Za-z0-9_]*)(?<optional>[?*{])?")]
    private static partial Regex Word();
}
