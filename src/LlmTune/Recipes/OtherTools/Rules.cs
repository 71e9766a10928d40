using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>What keys of other tools become, for the lines of their tables.</summary>
internal static class Rules
{
    /// <summary>A setting of ours with the same meaning and the same values.</summary>
    public static Rule To(string ours, string? note = null) => (draft, entry) => draft.Became(entry, ours, entry.Value, note);

    /// <summary>The opposite of a setting of ours.</summary>
    public static Rule Not(string ours) => (draft, entry) => draft.Became(entry, ours, entry.Plain(entry.IsOff ? "true" : "false"));

    /// <summary>A setting of ours that is a list of names.</summary>
    public static Rule Names(string ours) => (draft, entry) => draft.Became(entry, ours, new ListNode(entry.Value.Place, entry.Names));

    /// <summary>A setting of ours whose values have other names; all others are refused.</summary>
    public static Rule OneOf(string ours, string otherwise, params (string Theirs, string Ours)[] names) => (draft, entry) =>
    {
        var found = Array.Find(names, name => name.Theirs == entry.Text);
        if (found.Ours is null) draft.Refuse(entry, otherwise);
        else draft.Became(entry, ours, entry.Plain(found.Ours));
    };

    /// <summary>Nothing here depends on it.</summary>
    public static Rule Unused(string why) => (draft, entry) => draft.NoEffect(entry, why);

    /// <summary>It would change the result, and it is not built; switched off it has no effect.</summary>
    public static Rule NotBuilt(string why) => (draft, entry) =>
    {
        if (entry.IsOff) draft.NoEffect(entry, "switched off");
        else draft.Refuse(entry, why);
    };

    /// <summary>It says more about another key, with which its fate is said.</summary>
    public static Rule PartOf(string key) => (draft, entry) =>
        draft.NoEffect(entry, draft.Entry(key) is { IsOff: false } ? $"goes with {key}" : $"goes with {key}, which is not set");

    /// <summary>Of several keys that are refused for one reason the first says it.</summary>
    public static Rule First(string why, params IReadOnlyList<string> keys) => (draft, entry) =>
    {
        var first = keys.Select(draft.Entry).OfType<ForeignEntry>().MinBy(given => given.Place.Line)!;
        if (first.Key == entry.Key) draft.Refuse(entry, why);
        else draft.NoEffect(entry, $"goes with {first.Key}");
    };

    /// <summary>How the work is shared out among devices.</summary>
    public static Rule ManyDevices { get; } = (draft, entry) =>
    {
        draft.NoEffect(entry, Reasons.OneDevice);
        if (!entry.IsOff) draft.Note(Reasons.DevicesNote);
    };

    public static Rule Cpu { get; } = (draft, entry) =>
    {
        if (entry.IsOff) draft.NoEffect(entry, "switched off");
        else draft.Became(entry, "device", entry.Plain("cpu"));
    };

    /// <summary>AdamW by its names, those with a state in few bits or pages too, which changes the memory; others are refused by what they are.</summary>
    public static Rule OptimizerRule { get; } = (draft, entry) =>
    {
        var few = entry.Text.Contains("8bit", StringComparison.OrdinalIgnoreCase) || entry.Text.Contains("4bit", StringComparison.OrdinalIgnoreCase);
        var paged = entry.Text.StartsWith("paged", StringComparison.OrdinalIgnoreCase);
        if (Array.Find(Reasons.Optimizers, name => name.Theirs == entry.Text) is not { Ours: { } ours }) draft.Refuse(entry, Reasons.Optimizer);
        else draft.Became(entry, "training.optim", entry.Plain(ours), few ? Reasons.Eight : paged ? Reasons.Paged : null);
    };

    /// <summary>The type of the weights, where it is switched on.</summary>
    public static Rule Precision(string type, string? note = null) => (draft, entry) =>
    {
        if (entry.IsOff) draft.NoEffect(entry, "switched off");
        else draft.Became(entry, "model.dtype", entry.Plain(type), note);
    };

    /// <summary>A path to an adapter to go on from; the adapter's own settings then hold.</summary>
    public static Rule AdapterPath(string method) => (draft, entry) =>
    {
        if (entry.Names.Count > 1)
            draft.Refuse(entry,
                "names several adapters; merge all but the last (llmtune merge ADAPTER "
                + "--output FOLDER) and give that folder as the model");
        else if (draft.Text(method) != "lora")
            draft.Refuse(entry, $"is an adapter, which goes with {method}: lora");
        else
            draft.Became(entry, "adapter.path", entry.Value);
    };

    /// <summary>The same rule for several keys.</summary>
    public static IEnumerable<ForeignKey> All(Rule rule, params string[] names) => names.Select(name => new ForeignKey(name, rule));
}
