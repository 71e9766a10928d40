namespace LlmTune.Tokenization;

/// <summary>How much a finding weighs: the run would go wrong, it may, or it could not be looked at.</summary>
public enum AuditLevel { Error, Warning, Unchecked }

/// <param name="Check">double-bos, double-end, end-of-turn, stop-token, pad-token, untrained-tokens, inexact-prompt, left-out or arguments.</param>
/// <param name="Problem">What is wrong, with the tokens by name.</param>
/// <param name="Remedy">What to do about it.</param>
public sealed record AuditFinding(string Check, AuditLevel Level, string Problem, string Remedy);

/// <summary>A row as it will be trained on.</summary>
/// <param name="Trained">Of each token, whether it counts in the loss.</param>
/// <param name="EndsOfTurns">Positions of the last token of every assistant's turn that is to be trained on; empty for plain text.</param>
public sealed record AuditRow(int[] Ids, bool[] Trained, IReadOnlyList<int> EndsOfTurns)
{
    /// <summary>A conversation of which the assistant's turns are trained on.</summary>
    public static AuditRow Of(RenderedConversation conversation)
    {
        var trained = new bool[conversation.Ids.Length];
        var turns = conversation.Turns.Where(t => t.Role == Turns.Assistant && t.End > t.Start).ToList();
        foreach (var turn in turns) trained.AsSpan(turn.Start, turn.End - turn.Start).Fill(true);
        return new AuditRow(conversation.Ids, trained, [.. turns.GroupBy(t => t.Message).Select(g => g.Max(t => t.End) - 1)]);
    }
}

/// <summary>What the base model's input embeddings are asked for.</summary>
/// <param name="Row">The embedding of a token; empty where the model has none of that number.</param>
/// <param name="Frozen">Whether the embeddings stay as they are in the run.</param>
public sealed record AuditEmbeddings(Func<int, float[]> Row, bool Frozen);

/// <summary>The mistakes with special tokens that ruin a fine-tune in silence, looked for in rows before a run.</summary>
public static class TokenAudit
{
    /// <summary>A norm below this share of the usual one marks a row that training has never touched.</summary>
    private const double UntrainedShare = 0.05;

    /// <summary>Two rows that differ by less than this share of their norm are one: trained tokens lie far apart.</summary>
    private const double CopyShare = 0.002;

    private const int Sample = 256;

    /// <param name="rows">Some rows as they will be trained on; a hundred are plenty.</param>
    /// <param name="stopIds">What ends a generation: eos_token_id of generation_config.json, else of the tokenizer.</param>
    /// <param name="padId">What batches are padded with; null where they are not.</param>
    /// <param name="embeddings">Null where the weights are not there: the check is then reported as not made.</param>
    public static IReadOnlyList<AuditFinding> Check(
        HfTokenizer tokenizer,
        IReadOnlyList<AuditRow> rows,
        IReadOnlyCollection<int> stopIds,
        int? padId = null,
        AuditEmbeddings? embeddings = null) =>
    [
        .. DoubleBos(tokenizer, rows),
        .. DoubleEnd(tokenizer, rows),
        .. EndOfTurn(tokenizer, rows, stopIds),
        .. PadToken(tokenizer, rows, padId),
        .. UntrainedTokens(tokenizer, rows, embeddings),
    ];

    /// <summary>Turns whose tokens before them are not those that the model will see at inference.</summary>
    public static IReadOnlyList<AuditFinding> CheckPrompts(IReadOnlyList<RenderedConversation> conversations)
    {
        var turns = conversations.SelectMany(c => c.Turns).Where(t => t.Role == Turns.Assistant).ToList();
        return CheckPrompts(turns.Count(t => !t.PromptIsExact), turns.Count);
    }

    /// <summary>The same of turns that were counted.</summary>
    public static IReadOnlyList<AuditFinding> CheckPrompts(long inexact, long turns) => inexact == 0 ? [] :
    [
        new("inexact-prompt", AuditLevel.Warning,
            $"before {inexact:N0} of {turns:N0} assistant turns the template writes something else than the model will see at inference",
            "the template drops or adds text depending on what follows (thinking, mostly): train on the last turn only, or set "
            + "model.chat_template to a training variant of it"),
    ];

    private static IEnumerable<AuditFinding> DoubleBos(HfTokenizer tokenizer, IReadOnlyList<AuditRow> rows)
    {
        if (tokenizer.BosId is not { } bos) yield break;
        var doubled = rows.Count(r => r.Ids.Length > 1 && r.Ids[0] == bos && r.Ids[1] == bos);
        if (doubled == 0) yield break;
        yield return new("double-bos", AuditLevel.Error,
            $"{doubled:N0} of {rows.Count:N0} rows begin with {Name(tokenizer, bos)} twice",
            "the text has the token already and the tokenizer adds another: take it out of the text or the template, or encode without "
            + "special tokens");
    }

    /// <summary>The text brings the token that ends it, and the template or the pipeline writes another behind it.</summary>
    private static IEnumerable<AuditFinding> DoubleEnd(HfTokenizer tokenizer, IReadOnlyList<AuditRow> rows)
    {
        bool IsMarker(int id) => tokenizer.IsSpecial(id) || tokenizer.AddedTokens.Any(t => t.Id == id);
        int? Doubled(AuditRow row, int end)
        {
            var at = end;
            while (at >= 0 && !IsMarker(row.Ids[at]) && string.IsNullOrWhiteSpace(tokenizer.Decode([row.Ids[at]]))) at--;
            if (at < 1 || !IsMarker(row.Ids[at])) return null;
            var before = at - 1;
            while (before >= 0 && !IsMarker(row.Ids[before]) && string.IsNullOrWhiteSpace(tokenizer.Decode([row.Ids[before]]))) before--;
            return before >= 0 && row.Ids[before] == row.Ids[at] ? row.Ids[at] : null;
        }
        var found = rows.Select(row => (row.EndsOfTurns.Count > 0 ? row.EndsOfTurns : [row.Ids.Length - 1]).Select(end => Doubled(row, end)).FirstOrDefault(id => id is not null))
            .OfType<int>().ToList();
        if (found.Count == 0) yield break;
        yield return new("double-end", AuditLevel.Error,
            $"{found.Count:N0} of {rows.Count:N0} rows end with {Names(tokenizer, found.Distinct())} twice: the model would learn to write it as text",
            "the text has the token already, and another is written behind it: take it out of the text, or out of the template");
    }

    private static IEnumerable<AuditFinding> EndOfTurn(HfTokenizer tokenizer, IReadOnlyList<AuditRow> rows, IReadOnlyCollection<int> stopIds)
    {
        var ends = rows.SelectMany(r => r.EndsOfTurns.Select(e => EndToken(tokenizer, r, e))).ToList();
        var trainsStop = rows.Any(r => r.Ids.Where((id, i) => r.Trained[i] && stopIds.Contains(id)).Any());
        if (ends.Count > 0 && ends.TrueForAll(e => e is null))
        {
            yield return new("end-of-turn", AuditLevel.Error,
                "no assistant turn ends with a special token that is trained on: the model would not learn to stop",
                "use a chat template that closes turns (<|im_end|>, <|eot_id|>, the EOS token) inside of what is trained on, and do not mask "
                + "the end of a turn");
        }
        else if (rows.Count > 0 && !trainsStop && ends.Count == 0)
        {
            yield return new("end-of-turn", AuditLevel.Error,
                $"no row has a trained token that ends a generation ({Names(tokenizer, stopIds)}): the model would not learn to stop",
                "append the EOS token to the texts, or to the completions");
        }
        else if (ends.OfType<int>().Distinct().Where(e => !stopIds.Contains(e)).ToList() is { Count: > 0 } unknown && !trainsStop)
        {
            yield return new("stop-token", AuditLevel.Warning,
                $"turns end with {Names(tokenizer, unknown)}, but generation stops at {Names(tokenizer, stopIds)}: what is trained would go on "
                + "after its answer",
                $"name it as eos_token in tokenizer_config.json or in eos_token_id of generation_config.json: {string.Join(", ", unknown)}");
        }
    }

    /// <summary>The special token that ends a turn, white space behind it not regarded; null where there is none or it is not trained on.</summary>
    internal static int? EndToken(HfTokenizer tokenizer, AuditRow row, int end)
    {
        foreach (var i in LastTokens(end))
        {
            if (tokenizer.AddedTokens.Any(t => t.Id == row.Ids[i]) || tokenizer.IsSpecial(row.Ids[i])) return row.Trained[i] ? row.Ids[i] : null;
            if (!string.IsNullOrWhiteSpace(tokenizer.Decode([row.Ids[i]]))) return null;
        }
        return null;
    }

    /// <summary>Where the token stands that ends a turn: last, or before white space.</summary>
    private static IEnumerable<int> LastTokens(int end) => Enumerable.Range(0, Math.Min(3, end + 1)).Select(i => end - i);

    private static IEnumerable<AuditFinding> PadToken(HfTokenizer tokenizer, IReadOnlyList<AuditRow> rows, int? padId)
    {
        if (padId is not { } pad) yield break;
        var places = rows.SelectMany(r => r.EndsOfTurns.SelectMany(LastTokens).Where(i => r.Ids[i] == pad).Select(i => r.Trained[i])).ToList();
        var masked = places.Count(trained => !trained);
        if (masked == 0) yield break;
        yield return new("pad-token", AuditLevel.Error,
            $"the padding token {Name(tokenizer, pad)} also ends turns, and at {masked:N0} of {places.Count:N0} places it is masked away as "
            + "padding: the model would not learn to stop",
            "set pad_token in tokenizer_config.json to a token that no text has, and mask padding by its place, not by its id");
    }

    private static IEnumerable<AuditFinding> UntrainedTokens(HfTokenizer tokenizer, IReadOnlyList<AuditRow> rows, AuditEmbeddings? embeddings)
    {
        var added = tokenizer.AddedTokens.Select(t => t.Id).ToHashSet();
        var markers = rows.SelectMany(r => r.Ids).Where(added.Contains).Distinct().Order().ToList();
        if (markers.Count == 0) yield break;
        if (embeddings is null)
        {
            yield return new("untrained-tokens", AuditLevel.Unchecked,
                $"whether the base model knows {Names(tokenizer, markers)}: its weights are not here",
                "run the check where the model's weights are");
            yield break;
        }
        if (!embeddings.Frozen) yield break;
        var untrained = Untrained(tokenizer, markers, embeddings.Row);
        if (untrained.Count == 0) yield break;
        yield return new("untrained-tokens", AuditLevel.Warning,
            $"the base model's embeddings of {Names(tokenizer, untrained)} look as if they had never been trained, and they stay frozen",
            $"train them: adapter.modules_to_save: [embed_tokens, lm_head] (where the two are one: [embed_tokens] with ensure_weight_tying: true); "
            + "or use the model's instruct version, or a template with tokens that it knows");
    }

    /// <summary>
    /// Tokens whose embedding is nearly zero, or nearly that of another: as models leave rows that they reserve and never see (weight
    /// decay and the gradient of an output that is always wrong move all such rows alike).
    /// What is usual is the median norm of rows spread over the vocabulary.
    /// </summary>
    private static List<int> Untrained(HfTokenizer tokenizer, List<int> markers, Func<int, float[]> row)
    {
        var step = Math.Max(1, tokenizer.VocabularySize / Sample);
        var norms = Enumerable.Range(0, tokenizer.VocabularySize / step).Select(i => row(i * step)).Where(vector => vector.Length > 0).Select(Norm).Order().ToList();
        var usual = norms.Count > 0 ? norms[norms.Count / 2] : 0;
        var vectors = markers.ToDictionary(id => id, row);
        float[] Vector(int id) => vectors.GetValueOrDefault(id) ?? row(id);
        bool IsCopy(int id) => tokenizer.AddedTokens.Any(
            t => t.Id != id && t.Id < tokenizer.VocabularySize && Vector(t.Id) is { Length: > 0 } other && IsNear(other, vectors[id]));
        return markers.FindAll(id => vectors[id].Length > 0 && (Norm(vectors[id]) < UntrainedShare * usual || IsCopy(id)));
    }

    private static bool IsNear(float[] other, float[] vector)
    {
        var squares = 0.0;
        for (var i = 0; i < vector.Length; i++) squares += Math.Pow(other[i] - vector[i], 2);
        return Math.Sqrt(squares) <= CopyShare * Norm(vector);
    }

    private static double Norm(float[] vector) => Math.Sqrt(vector.Sum(v => (double)v * v));

    private static string Name(HfTokenizer tokenizer, int id) => $"{tokenizer.Token(id) ?? "?"} ({id})";

    private static string Names(HfTokenizer tokenizer, IEnumerable<int> ids) => string.Join(", ", ids.Select(id => Name(tokenizer, id)));
}
