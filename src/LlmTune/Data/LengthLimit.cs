namespace LlmTune.Data;

/// <summary>How an example is cut to a number of tokens.</summary>
public static class LengthLimit
{
    /// <summary>
    /// Running text is cut at its end. Otherwise the example ends with the last turn that fits as a whole. If not even the first does,
    /// prompt and answer share the room (as LLaMA-Factory divides it): the prompt keeps its end (and BOS), the answer its beginning and
    /// its last token, so that the model still learns to stop.
    /// </summary>
    public static Tokens Cut(Tokens tokens, int limit, int? bos)
    {
        if (tokens.Ids.Length <= limit) return tokens;
        if (tokens.IsText || !tokens.AnyTrained) return Start(tokens, limit);
        var from = 1 + tokens.Trained.AsSpan(1).IndexOf(true);
        var end = EndOfLastWhole(tokens.Trained, limit);
        return end > 0 ? Start(tokens, end) : Shared(tokens, from, limit, bos);
    }

    /// <summary>The first tokens.</summary>
    public static Tokens Start(Tokens tokens, int limit) => tokens with { Ids = tokens.Ids[..limit], Trained = tokens.Trained[..limit] };

    /// <summary>End of the last run of trained tokens that ends within the limit; 0 if none does.</summary>
    private static int EndOfLastWhole(ReadOnlySpan<bool> trained, int limit)
    {
        for (var end = limit; end > 1; end--)
        {
            if (trained[end - 1] && !trained[end]) return end;
        }
        return 0;
    }

    private static Tokens Shared(Tokens tokens, int from, int limit, int? bos)
    {
        var run = tokens.Trained.AsSpan(from).IndexOf(false);
        var answer = run < 0 ? tokens.Ids.Length - from : run;
        var room = answer * 2 < limit ? limit : from * 2 < limit ? limit - from : (int)((long)limit * answer / (from + answer));
        var kept = Math.Clamp(room, 1, Math.Min(answer, limit - 1));
        var prompt = Math.Min(limit - kept, from);
        int[] ids = [.. tokens.Ids.AsSpan(from - prompt, prompt), .. tokens.Ids.AsSpan(from, kept)];
        if (tokens.Ids[0] == bos) ids[0] = tokens.Ids[0];
        ids[^1] = tokens.Ids[from + answer - 1];
        var trained = new bool[ids.Length];
        trained.AsSpan(prompt).Fill(true);
        return tokens with { Ids = ids, Trained = trained };
    }
}
