namespace LlmTune.Tokenization;

/// <summary>Puts special tokens around one text or two, and may trim spans.</summary>
internal abstract class PostProcessor
{
    /// <summary>How many tokens are added.</summary>
    public virtual int Added(bool pair) => 0;

    /// <summary>The ids of one text with what belongs around them.</summary>
    public virtual List<int> Ids(List<int> ids, bool addSpecialTokens) => ids;

    /// <summary>The parts of the result, from the parts that came.</summary>
    public abstract List<TokenEncoding> Process(List<TokenEncoding> parts, bool addSpecialTokens);

    /// <returns>Null where the file has none.</returns>
    public static PostProcessor? Read(JsonField field)
    {
        if (field.IsNull) return null;
        field.Object();
        var type = field["type"].Text();
        switch (type)
        {
            case "Sequence":
                var steps = field["processors"].Items().Select(f => Read(f) ?? throw f.Error("expected a post-processor, found null")).ToArray();
                if (steps.Count(step => step is TemplateProcessor or PairProcessor or PostProcessorSequence { Adds: true }) > 1)
                {
                    throw field.Error("two of its steps put tokens around the text; only one may");
                }
                return new PostProcessorSequence(steps);
            case "ByteLevel":
                return new SpanTrimmer(field["trim_offsets"].Flag(), field["add_prefix_space"].Flag());
            case "TemplateProcessing":
                return TemplateProcessor.FromJson(field);
            case "BertProcessing":
                return new PairProcessor(Token(field["cls"]), Token(field["sep"]), roberta: false, trimmer: null);
            case "RobertaProcessing":
                var trimmer = new SpanTrimmer(field["trim_offsets"].Flag(), field["add_prefix_space"].Flag());
                return new PairProcessor(Token(field["cls"]), Token(field["sep"]), roberta: true, trimmer);
            default:
                throw field["type"].Error(
                    $"\"{type}\" is not a known post-processor (Sequence, ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing)");
        }
    }

    private static (int Id, string Content) Token(JsonField field) =>
        field.Items() is [var content, var id] ? (id.Count(), content.Text()) : throw field.Error("expected a token and its id");
}

/// <summary>One step after the other.</summary>
internal sealed class PostProcessorSequence(PostProcessor[] steps) : PostProcessor
{
    public bool Adds => steps.Any(step => step is TemplateProcessor or PairProcessor or PostProcessorSequence { Adds: true });

    public override int Added(bool pair) => steps.Sum(step => step.Added(pair));

    public override List<int> Ids(List<int> ids, bool addSpecialTokens) => steps.Aggregate(ids, (all, step) => step.Ids(all, addSpecialTokens));

    public override List<TokenEncoding> Process(List<TokenEncoding> parts, bool addSpecialTokens) =>
        steps.Aggregate(parts, (all, step) => step.Process(all, addSpecialTokens));
}

/// <summary>Takes the spaces out of the spans of byte-level tokens.</summary>
internal sealed class SpanTrimmer(bool trims, bool addsPrefixSpace) : PostProcessor
{
    private static readonly char Space = ByteLevel.ToChar((byte)' ');

    public override List<TokenEncoding> Process(List<TokenEncoding> parts, bool addSpecialTokens)
    {
        for (var i = 0; i < parts.Count; i++)
        {
            Trim(parts[i]);
            parts[i].SetSequence(i);
        }
        return parts;
    }

    public void Trim(TokenEncoding encoding)
    {
        if (!trims) return;
        foreach (var overflow in encoding.Overflowing) Trim(overflow);
        for (var i = 0; i < encoding.Count; i++) encoding.Spans[i] = Trimmed(encoding.Tokens[i], encoding.Spans[i], i == 0);
    }

    private TextSpan Trimmed(string token, TextSpan span, bool first)
    {
        var leading = 0;
        while (leading < token.Length && IsSpace(token[leading])) leading++;
        var trailing = 0;
        while (trailing < token.Length && IsSpace(token[^(trailing + 1)])) trailing++;
        var (start, end) = (span.Start, span.End);
        if (leading == 1 && addsPrefixSpace && (first || start == 0)) leading = 0;
        if (trailing == token.Length) return leading == 0 ? new TextSpan(start, start) : new TextSpan(end, end);
        start = Math.Min(start + leading, end);
        if (trailing > 0 && end >= trailing) end = Math.Max(end - trailing, start);
        return new TextSpan(start, end);
    }

    private static bool IsSpace(char c) => c == Space || char.IsWhiteSpace(c);
}

/// <summary>BERT's <c>[CLS] A [SEP] B [SEP]</c>; RoBERTa's has a second separator between, and all types 0.</summary>
internal sealed class PairProcessor((int Id, string Content) first, (int Id, string Content) separator, bool roberta, SpanTrimmer? trimmer)
    : PostProcessor
{
    public override int Added(bool pair) => !pair ? 2 : roberta ? 4 : 3;

    public override List<int> Ids(List<int> ids, bool addSpecialTokens) => addSpecialTokens ? [first.Id, .. ids, separator.Id] : ids;

    public override List<TokenEncoding> Process(List<TokenEncoding> parts, bool addSpecialTokens)
    {
        foreach (var part in parts)
        {
            trimmer?.Trim(part);
            if (roberta) part.SetType(0);
        }
        if (!addSpecialTokens) return parts;
        var result = new List<TokenEncoding> { parts[0].Between(Token(first, 0), Token(separator, 0)) };
        if (parts.Count > 1) result.Add(parts[1].Between(roberta ? Token(separator, 0) : null, Token(separator, roberta ? 0 : 1)));
        if (roberta)
        {
            foreach (var overflow in result.SelectMany(part => part.Overflowing)) overflow.SetType(0);
        }
        return result;
    }

    private static TokenEncoding Token((int Id, string Content) token, int type) => TokenEncoding.Added([token.Id], [token.Content], type);
}
