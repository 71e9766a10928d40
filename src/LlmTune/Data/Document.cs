namespace LlmTune.Data;

/// <summary>One example as token ids. Attention stays inside it, positions restart with it.</summary>
/// <param name="Ids">(T) token ids.</param>
/// <param name="Trained">(T) whether the token is trained on: predicted from the tokens before it. The first token never is.</param>
/// <param name="Key">Identity of the example in the run: what its dropout masks are drawn from, however batches are cut.</param>
/// <param name="Source">Index of the source it came from.</param>
public sealed record Document(int[] Ids, bool[] Trained, ulong Key = 0, int Source = 0)
{
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
