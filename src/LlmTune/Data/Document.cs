namespace LlmTune.Data;

/// <summary>What a sequence is among the judged answers to one prompt.</summary>
/// <param name="Rank">0 for the best (chosen), 1 for the next (rejected) …</param>
/// <param name="Prompt">Tokens of the prompt that it begins with.</param>
/// <param name="Desirable">Of an answer that is judged alone whether it is a good one.</param>
public readonly record struct JudgedAnswer(int Rank, int Prompt, bool? Desirable = null);

/// <summary>One example as token ids. Attention stays inside it, positions restart with it.</summary>
/// <param name="Ids">(T) token ids.</param>
/// <param name="Trained">(T) whether the token is trained on: predicted from the tokens before it. The first token never is.</param>
/// <param name="Key">Identity of the example in the run: what its dropout masks are drawn from, however batches are cut.</param>
/// <param name="Source">Index of the source it came from.</param>
public sealed record Document(int[] Ids, bool[] Trained, ulong Key = 0, int Source = 0)
{
    /// <summary>What it is among the answers to its prompt; null of an example to imitate.</summary>
    public JudgedAnswer? Answer { get; init; }

    /// <summary>(T) what the loss of a token that is trained on is multiplied by; null where each counts once.</summary>
    public float[]? Weights { get; init; }

    public int Length => Ids.Length;

    /// <summary>(T) source of each token where a stream holds documents of several; null where all are of <see cref="Source"/>.</summary>
    public int[]? TokenSources { get; init; }

    /// <summary>How many tokens are trained on.</summary>
    public int TrainedCount
    {
        get
        {
            var count = 0;
            for (var t = 1; t < Trained.Length; t++)
                if (Trained[t]) count++;
            return count;
        }
    }
}
