namespace LlmTune.Data;

/// <summary>How an example is cut to a number of tokens.</summary>
public static class LengthLimit
{
    /// <summary>
    /// Running text is cut at its end. Otherwise the example ends with the last turn that fits as a whole. If not even the first does,
    /// prompt and answer share the room (as LLaMA-Factory divides it): the prompt keeps its end (and BOS), the answer its beginning and
    /// what ends it, so that the model still learns to stop.
    /// </summary>
    public static Tokens Cut(Tokens tokens, int limit, int? bos)
    {
        if (tokens.Longest <= limit) return tokens;
        if (tokens.Answers.Count > 0) return Judged(tokens, limit, bos);
        if (tokens.IsText || !tokens.AnyTrained) return Start(tokens, limit);
        var from = 1 + tokens.Trained.AsSpan(1).IndexOf(true);
        var end = EndOfLastWhole(tokens.Trained, limit);
        return end > 0 ? Start(tokens, end) : Shared(tokens, from, limit, bos);
    }

    /// <summary>The first tokens.</summary>
    public static Tokens Start(Tokens tokens, int limit) => tokens with { Ids = tokens.Ids[..limit], Trained = tokens.Trained[..limit], Weights = tokens.Weights?[..limit] };

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
        var (prompt, kept) = Division(from, answer, limit);
        var ending = kept < answer ? Math.Min(tokens.Ending, kept) : 0;
        T[] Kept<T>(T[] all) => [.. all.AsSpan(from - prompt, prompt), .. all.AsSpan(from, kept - ending), .. all.AsSpan(from + answer - ending, ending)];
        var ids = Kept(tokens.Ids);
        if (tokens.Ids[0] == bos) ids[0] = tokens.Ids[0];
        var trained = new bool[ids.Length];
        trained.AsSpan(prompt).Fill(true);
        return tokens with { Ids = ids, Trained = trained, Weights = tokens.Weights is { } weights ? Kept(weights) : null };
    }

    /// <summary>
    /// Of judged answers the room is divided between the prompt and the longest, so that the prompt is cut alike for all;
    /// an answer that is too long for what the prompt leaves keeps its beginning and its end.
    /// </summary>
    private static Tokens Judged(Tokens tokens, int limit, int? bos)
    {
        var prompt = Division(tokens.Prompt, tokens.Answers.Max(), limit).Prompt;
        var room = limit - prompt;
        List<int> ids = [.. tokens.Ids.AsSpan(tokens.Prompt - prompt, prompt)];
        if (prompt > 0 && tokens.Ids[0] == bos) ids[0] = tokens.Ids[0];
        var from = tokens.Prompt;
        foreach (var length in tokens.Answers)
        {
            var answer = tokens.Ids.AsSpan(from, length);
            var ending = length > room ? Math.Min(tokens.Ending, room) : 0;
            ids.AddRange(answer[..(Math.Min(length, room) - ending)]);
            ids.AddRange(answer[(length - ending)..]);
            from += length;
        }
        var trained = new bool[ids.Count];
        trained.AsSpan(prompt).Fill(true);
        return tokens with { Ids = [.. ids], Trained = trained, Answers = [.. tokens.Answers.Select(length => Math.Min(length, room))] };
    }

    /// <summary>How many tokens a prompt and its answer keep.</summary>
    private static (int Prompt, int Answer) Division(int prompt, int answer, int limit)
    {
        var room = answer * 2 < limit ? limit : prompt * 2 < limit ? limit - prompt : (int)((long)limit * answer / (prompt + answer));
        var kept = Math.Clamp(room, 1, Math.Min(answer, limit - 1));
        return (Math.Min(limit - kept, prompt), kept);
    }
}
