using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>
/// Which modules a setting names, by PEFT's rules: a list matches whole names or suffixes after a dot, a text is a regular
/// expression over the whole name, <c>all-linear</c> takes every linear layer but the output head.
/// </summary>
public abstract record ModuleSelector
{
    /// <summary>The word for every linear layer but the output head, in any case.</summary>
    public const string AllLinearWord = "all-linear";

    public static ModuleSelector AllLinear { get; } = new Everything();

    public static ModuleSelector Names(params IEnumerable<string> names) => new NameList([.. names]);

    /// <exception cref="RequestException">Not a regular expression.</exception>
    public static ModuleSelector Parse(string text)
    {
        if (text.Equals(AllLinearWord, StringComparison.OrdinalIgnoreCase)) return AllLinear;
        try
        {
            return new Pattern(text, PythonRegex.Parse(text));
        }
        catch (FormatException e)
        {
            throw new RequestException($"'{text}' is not a regular expression ({e.Message}); a list of names is written [q_proj, v_proj]");
        }
    }

    public abstract bool Matches(Part part);

    /// <summary>Whether the module is taken by its full name, so that no restriction to layers applies to it.</summary>
    public virtual bool NamesExactly(string module) => false;

    private sealed record Everything : ModuleSelector
    {
        public override bool Matches(Part part) => part is LinearPart { IsHead: false };
        public override string ToString() => AllLinearWord;
    }

    /// <summary>A list, compared by its members.</summary>
    public sealed record NameList(IReadOnlyList<string> Items) : ModuleSelector
    {
        public override bool Matches(Part part) =>
            Items.Any(name => part.Name == name || part.Name.EndsWith("." + name, StringComparison.Ordinal));

        public override bool NamesExactly(string module) => Items.Contains(module);
        public bool Equals(NameList? other) => other is not null && Items.SequenceEqual(other.Items);
        public override int GetHashCode() => Items.Count;
        public override string ToString() => $"[{string.Join(", ", Items)}]";
    }

    /// <summary>A regular expression over the whole name, in Python's language.</summary>
    public sealed record Pattern : ModuleSelector
    {
        private readonly PythonRegex _expression;

        internal Pattern(string text, PythonRegex expression) => (Text, _expression) = (text, expression);

        public string Text { get; }

        public override bool Matches(Part part) => _expression.MatchesAll(part.Name);
        public bool Equals(Pattern? other) => Text == other?.Text;
        public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);
        public override string ToString() => Text;
    }
}
