using System.Globalization;
using System.Text.RegularExpressions;
using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>Which layers get an adapter, and with what rank and scaling: PEFT's rules, for a run file and for a PEFT folder alike.</summary>
public sealed record LoraPlan
{
    public required int Rank { get; init; }

    public required double Alpha { get; init; }

    public double Dropout { get; init; }

    public required ModuleSelector Targets { get; init; }

    public ModuleSelector? Excluded { get; init; }

    public bool UseRsLora { get; init; }

    /// <summary>Only layers with these numbers; null: all.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>What stands before the layer's number in a module's name; empty: the first number counts.</summary>
    public IReadOnlyList<string> LayersPattern { get; init; } = [];

    /// <summary>Ranks of modules by regular expression; the first that matches wins.</summary>
    public IReadOnlyList<(string Pattern, int Rank)> RankPattern { get; init; } = [];

    /// <summary>Numerators of the scaling by regular expression.</summary>
    public IReadOnlyList<(string Pattern, double Alpha)> AlphaPattern { get; init; } = [];

    public static LoraPlan From(LoraConfig config) => new()
    {
        Rank = config.Rank,
        Alpha = config.Alpha,
        Dropout = config.Dropout,
        Targets = config.TargetModules,
        Excluded = config.ExcludeModules,
        UseRsLora = config.UseRsLora,
    };

    /// <summary>The layers that are adapted, in the model's order.</summary>
    /// <exception cref="RequestException">None is; the message names layers that could have been meant.</exception>
    public IReadOnlyList<LoraTarget> Select(IEnumerable<LinearPart> linears)
    {
        if (Layers is not null && Targets is ModuleSelector.Pattern)
            throw new RequestException("layers_to_transform goes with a list of target_modules; a regular expression names its layers itself");
        var all = linears.ToList();
        var matched = all.Where(part => Targets.Matches(part.Name, part.IsHead) && (Targets.NamesExactly(part.Name) || InLayers(part.Name))).ToList();
        var taken = matched.Where(part => Excluded?.Matches(part.Name, part.IsHead) is not true).ToList();
        if (taken.Count > 0) return [.. taken.Select(Target)];
        throw new RequestException(matched.Count == 0
            ? $"target_modules {Targets}{(Layers is null ? "" : $" in layers {string.Join(", ", Layers)}")} names no linear layer of the model; "
              + $"it has {string.Join(", ", all.Select(part => part.Name[(part.Name.LastIndexOf('.') + 1)..]).Distinct())}"
            : $"exclude_modules {Excluded} leaves none of the {matched.Count} layers that target_modules {Targets} names");
    }

    private LoraTarget Target(LinearPart part)
    {
        var rank = First(RankPattern, part.Name) ?? Rank;
        var alpha = First(AlphaPattern, part.Name) ?? Alpha;
        return new LoraTarget(part, rank, alpha, alpha / (UseRsLora ? Math.Sqrt(rank) : rank));
    }

    private bool InLayers(string module)
    {
        if (Layers is null) return true;
        IEnumerable<string> expressions = LayersPattern.Count == 0
            ? [@"\.(\d+)\."]
            : LayersPattern.Select(pattern => $@"(?:^|\.){pattern}\.(\d+)\.");
        foreach (var expression in expressions)
        {
            if (Regex.Match(module, expression, RegexOptions.CultureInvariant) is { Success: true } match)
                return Layers.Contains(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        }
        return false;
    }

    private static T? First<T>(IReadOnlyList<(string Pattern, T Value)> patterns, string module) where T : struct
    {
        foreach (var (pattern, value) in patterns)
            if (Regex.IsMatch(module, $@"^(?:(?:.*\.)?{pattern})$", RegexOptions.CultureInvariant)) return value;
        return null;
    }
}

/// <summary>A linear layer that is to be adapted.</summary>
public sealed record LoraTarget(LinearPart Part, int Rank, double Alpha, double Scaling);
