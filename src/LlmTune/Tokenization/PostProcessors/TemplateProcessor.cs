namespace LlmTune.Tokenization;

/// <summary>Texts and special tokens in any order; the order and repetition of texts hold also without special tokens.</summary>
internal sealed class TemplateProcessor : PostProcessor
{
    private readonly Part[] _single;
    private readonly Part[] _pair;

    private TemplateProcessor(Part[] single, Part[] pair) => (_single, _pair) = (single, pair);

    public static TemplateProcessor FromJson(JsonField field)
    {
        var special = field["special_tokens"].Object();
        return new TemplateProcessor(Template(field["single"], special, sequences: 1), Template(field["pair"], special, sequences: 2));
    }

    /// <summary>One token before each text and one behind it; null where there is neither.</summary>
    public static TemplateProcessor? Around((int Id, string Content)? before, (int Id, string Content)? after)
    {
        if (before is null && after is null) return null;
        return new TemplateProcessor([.. Text(0)], [.. Text(0), .. Text(1)]);

        IEnumerable<Part> Text(int sequence)
        {
            if (before is { } first) yield return new Part(-1, sequence, [first.Id], [first.Content]);
            yield return new Part(sequence, sequence, null, null);
            if (after is { } last) yield return new Part(-1, sequence, [last.Id], [last.Content]);
        }
    }

    public override int Added(bool pair) => (pair ? _pair : _single).Sum(part => part.Ids?.Length ?? 0);

    public override List<int> Ids(List<int> ids, bool addSpecialTokens)
    {
        var result = new List<int>(ids.Count + 4);
        foreach (var part in _single)
        {
            if (part.Ids is null) result.AddRange(ids);
            else if (addSpecialTokens) result.AddRange(part.Ids);
        }
        return result;
    }

    public override List<TokenEncoding> Process(List<TokenEncoding> parts, bool addSpecialTokens)
    {
        var result = new List<TokenEncoding>();
        foreach (var part in parts.Count > 1 ? _pair : _single)
        {
            if (part.Ids is not null)
            {
                if (addSpecialTokens) result.Add(TokenEncoding.Added(part.Ids, part.Tokens!, part.Type));
                continue;
            }
            var text = parts[part.Sequence].Clone();
            text.SetType(part.Type);
            text.SetSequence(part.Sequence);
            result.Add(text);
        }
        return result;
    }

    private static Part[] Template(JsonField field, JsonField special, int sequences) => [.. field.Items().Select(item =>
    {
        if (item.Object()["Sequence"] is { IsNull: false } sequence)
        {
            var number = sequence["id"].Choice(("A", 0), ("B", 1));
            return number < sequences
                ? new Part(number, sequence["type_id"].Count(), null, null)
                : throw sequence["id"].Error("the template for one text names the second, B");
        }
        var token = item["SpecialToken"].Object();
        var name = token["id"].Text();
        var entry = special[name];
        if (entry.IsNull) throw token["id"].Error($"\"{name}\" is not among special_tokens");
        int[] ids = [.. entry["ids"].Items().Select(id => id.Count())];
        string[] tokens = [.. entry["tokens"].Items().Select(text => text.Text())];
        return ids.Length == tokens.Length
            ? new Part(-1, token["type_id"].Count(), ids, tokens)
            : throw entry.Error($"has {ids.Length} ids and {tokens.Length} tokens");
    })];

    /// <param name="Ids">Null for a text.</param>
    private sealed record Part(int Sequence, int Type, int[]? Ids, string[]? Tokens);
}
