using System.Globalization;
using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>
/// Which modules get an adapter, and with what rank and scaling, and which are trained as copies: PEFT's rules, for a run file and
/// for a PEFT folder alike.
/// </summary>
public sealed partial record LoraPlan
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
    public IReadOnlyList<(string Pattern, int Value)> RankPattern { get; init; } = [];

    /// <summary>Numerators of the scaling by regular expression.</summary>
    public IReadOnlyList<(string Pattern, double Value)> AlphaPattern { get; init; } = [];

    /// <summary>Ends of the names of modules that are trained as copies.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Which of the base's biases are trained as copies.</summary>
    public BiasTraining Bias { get; init; }

    /// <summary>Whether B has a bias.</summary>
    public bool LoraBias { get; init; }

    /// <summary>Whether ends that share their matrix go on sharing it when one of them is trained.</summary>
    public bool EnsureWeightTying { get; init; }

    /// <summary>What the user should hear about the file that the plan was read from.</summary>
    public IReadOnlyList<AdapterNote> Notes { get; init; } = [];

    public static LoraPlan From(LoraConfig config) => new()
    {
        Rank = config.Rank,
        Alpha = config.Alpha,
        Dropout = config.Dropout,
        Targets = config.TargetModules,
        Excluded = config.ExcludeModules,
        UseRsLora = config.UseRsLora,
        Layers = config.LayersToTransform,
        LayersPattern = config.LayersPattern ?? [],
        RankPattern = config.RankPattern ?? [],
        AlphaPattern = config.AlphaPattern ?? [],
        ModulesToSave = config.ModulesToSave ?? [],
        Bias = config.Bias,
        LoraBias = config.LoraBias,
        EnsureWeightTying = config.EnsureWeightTying,
    };

    /// <summary>
    /// Whether a module is trained as a copy. PEFT's laxer rule: its name, or that of a module it is in, ends with an entry,
    /// dot or not (<c>norm</c> takes <c>input_layernorm</c>).
    /// </summary>
    public bool Saves(Part part) => ModulesToSave.Any(entry => Saves(entry, part.Name));

    /// <summary>The modules that are adapted, in the model's order.</summary>
    /// <param name="parts">Those that may be.</param>
    /// <exception cref="RequestException">None is; the message names modules that could have been meant.</exception>
    public IReadOnlyList<LoraTarget> Select(IEnumerable<Part> parts)
    {
        if (Layers is not null && Targets is ModuleSelector.Pattern)
            throw new RequestException("layers_to_transform goes with a list of target_modules; a regular expression names its layers itself");
        if (LayersPattern.Count > 0 && Layers is null)
            throw new RequestException("layers_pattern says where layers_to_transform finds a layer's number; set both or none");
        var all = parts.Where(part => part is LinearPart or Embedding).ToList();
        var matched = all.Where(part => Targets.Matches(part) && (Targets.NamesExactly(part.Name) || InLayers(part.Name))).ToList();
        var taken = matched.Where(part => Excluded?.Matches(part) is not true).ToList();
        if (taken.Count > 0) return [.. taken.Select(Target)];
        throw new RequestException(matched.Count == 0
            ? $"target_modules {Targets}{(Layers is null ? "" : $" in layers {string.Join(", ", Layers)}")} names no linear layer or embedding of the model; it has {ShortNames(all)}"
            : $"exclude_modules {Excluded} leaves none of the {matched.Count} layers that target_modules {Targets} names");
    }

    /// <summary>Rank and scaling of a module.</summary>
    public LoraTarget Target(Part part)
    {
        var rank = First(RankPattern, part.Name, "rank_pattern") ?? Rank;
        var alpha = First(AlphaPattern, part.Name, "alpha_pattern") ?? Alpha;
        return new LoraTarget(part, rank, alpha, alpha / (UseRsLora ? Math.Sqrt(rank) : rank));
    }

    /// <summary>PEFT's expressions for the number of a layer: the first one of a name counts, not the last.</summary>
    private bool InLayers(string module)
    {
        if (Layers is not { Count: > 0 }) return true;
        var expressions = LayersPattern.Count == 0
            ? [Expression("", @".*?\.[^.]*\.(?P<idx>\d+)\.", "", "layers_pattern")]
            : LayersPattern.Select(pattern => Expression(@"(?:^|.*?\.)", pattern, @"\.(?P<idx>\d+)\.", "layers_pattern"));
        return expressions.Select(expression => expression.Match(module, "idx")).FirstOrDefault(number => number is not null) is { } layer
            && Layers.Contains(int.Parse(layer, CultureInfo.InvariantCulture));
    }

    private static bool Saves(string entry, string module)
    {
        for (var end = module.Length; end > 0; end = module.LastIndexOf('.', end - 1))
            if (module.AsSpan(0, end).EndsWith(entry, StringComparison.Ordinal)) return true;
        return false;
    }

    private static T? First<T>(IReadOnlyList<(string Pattern, T Value)> patterns, string module, string setting) where T : struct
    {
        foreach (var (pattern, value) in patterns)
            if (Expression(@"(.*\.)?(", pattern, ")", setting).MatchesAll(module)) return value;
        return null;
    }

    private static PythonRegex Expression(string before, string pattern, string behind, string setting)
    {
        try
        {
            return PythonRegex.Parse(pattern, before, behind);
        }
        catch (FormatException e)
        {
            throw new RequestException($"{setting} has an entry that is not a regular expression ('{pattern}': {e.Message})", e);
        }
    }

    private static string ShortNames(IReadOnlyList<Part> parts) => string.Join(", ", parts.Select(part => part.ShortName).Distinct());
}

/// <summary>What the user should hear about an adapter's folder.</summary>
public sealed record AdapterNote(bool IsWarning, string Text);
