using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmTune.Config;

namespace LlmTune.Models;

/// <summary>Which tensors of a model receive gradients when it is trained without an adapter.</summary>
public abstract record TrainableParts
{
    public static TrainableParts All { get; } = new Everything();

    /// <summary>The names of the tensors to train.</summary>
    /// <exception cref="RequestException">It names what the model does not have.</exception>
    public abstract IReadOnlySet<string> Of(ModelSpec spec);

    private protected static IEnumerable<string> Names(ModelSpec spec) => Decoder.TensorShapes(spec).Select(tensor => tensor.Name);

    internal sealed record Everything : TrainableParts
    {
        public override IReadOnlySet<string> Of(ModelSpec spec) => Names(spec).ToHashSet(StringComparer.Ordinal);
        public override string ToString() => "all";
    }

    /// <summary>The last blocks; embedding, last norm and head stay as they are.</summary>
    internal sealed record LastLayers(int Count) : TrainableParts
    {
        public override IReadOnlySet<string> Of(ModelSpec spec)
        {
            if (Count > spec.Blocks.Count)
                throw new RequestException($"model.trainable asks for the last {Count} layers, the model has {spec.Blocks.Count}");
            var prefixes = Enumerable.Range(spec.Blocks.Count - Count, Count).Select(Decoder.BlockName).Select(name => name + ".").ToArray();
            return Names(spec).Where(name => prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))).ToHashSet(StringComparer.Ordinal);
        }

        public override string ToString() => Count == 1 ? "the last layer" : $"the last {Count} layers";
    }

    /// <summary>
    /// What a list names: each pattern is one or more whole parts of a tensor's name between dots, with * for anything:
    /// <c>lm_head</c>, <c>layers.23</c>, <c>*norm</c>, <c>model.layers.*.mlp</c>.
    /// </summary>
    internal sealed record Named(ValueList<string> Patterns) : TrainableParts
    {
        public override IReadOnlySet<string> Of(ModelSpec spec)
        {
            var all = Names(spec).ToList();
            var chosen = new HashSet<string>(StringComparer.Ordinal);
            var problems = new List<string>();
            foreach (var pattern in Patterns)
            {
                var expression = new Regex($@"(^|\.){Regex.Escape(pattern).Replace(@"\*", ".*", StringComparison.Ordinal)}(\.|$)", RegexOptions.CultureInvariant);
                var found = all.Where(name => expression.IsMatch(name)).ToList();
                if (found.Count == 0) problems.Add($"'{pattern}'{Hint(spec, expression, pattern, all)}");
                chosen.UnionWith(found);
            }
            return problems.Count == 0
                ? chosen
                : throw new RequestException($"model.trainable names what the model does not have: {string.Join("; ", problems)}");
        }

        public override string ToString() => string.Join(", ", Patterns);

        private static string Hint(ModelSpec spec, Regex expression, string pattern, List<string> all)
        {
            if (spec.TiedHead && expression.IsMatch(Decoder.HeadName))
                return ", the head is tied to the embedding; embed_tokens trains both";
            return Suggest.Hint(Suggest.Nearest(pattern, all.SelectMany(name => name.Split('.')).Where(part => !char.IsAsciiDigit(part[0])).Distinct()));
        }
    }
}

/// <summary>Written all, { last_layers: N }, or a list of name patterns.</summary>
internal sealed class TrainablePartsForm : Form
{
    private const string Word = "all", LastLayers = "last_layers";

    private static readonly Form Patterns = Forms.Of<ValueList<string>>();

    public override string Expected => "all, { last_layers: N } or a list of name patterns";

    public override object? Read(ConfigNode node, Reading reading)
    {
        switch (node)
        {
            case ScalarNode { Kind: ScalarKind.Text, Text: Word }:
                return TrainableParts.All;
            case ListNode { Items.Count: > 0 }:
                return Patterns.Read(node, reading) is ValueList<string> patterns ? new TrainableParts.Named(patterns) : null;
            case MapNode { Entries: [{ Key: LastLayers } entry] }:
                var inner = reading.At(LastLayers);
                if (inner.Part(Forms.Of<int>(), entry.Value) is not int count) return null;
                if (count >= 1) return new TrainableParts.LastLayers(count);
                inner.Report(entry.Value.Place, $"must be at least 1, got {count}");
                return null;
            default:
                throw Mismatch(node);
        }
    }

    public override ConfigNode Write(object value) => value switch
    {
        TrainableParts.Named named => Patterns.Write(named.Patterns),
        TrainableParts.LastLayers last => new MapNode(Place.None, [new MapEntry(LastLayers, Place.None, ScalarNode.Plain($"{last.Count}"))]),
        _ => ScalarNode.Plain(Word),
    };

    public override JsonObject Schema() => new()
    {
        ["anyOf"] = new JsonArray(
            new JsonObject { ["const"] = Word },
            new JsonObject
            {
                ["type"] = "object",
                ["additionalProperties"] = false,
                ["required"] = new JsonArray(LastLayers),
                ["properties"] = new JsonObject { [LastLayers] = new JsonObject { ["type"] = "integer", ["minimum"] = 1 } },
            },
            Patterns.Schema()),
    };
}
