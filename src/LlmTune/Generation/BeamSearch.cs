using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Native;

namespace LlmTune.Generation;

/// <summary>When a row of a beam search is finished.</summary>
public enum EarlyStopping
{
    /// <summary>When its best running sum, at the length so far, no longer beats its worst hypothesis: a guess for positive penalties.</summary>
    Guess,

    /// <summary>As soon as there are as many hypotheses as beams.</summary>
    WhenFull,

    /// <summary>When no running beam can beat the worst hypothesis at any length.</summary>
    Never,
}

/// <summary>How beams are searched; names are those of transformers' GenerationConfig.</summary>
/// <param name="Beams">B.</param>
/// <param name="LengthPenalty">a: a hypothesis' score is its sum of log-probabilities ÷ lengthᵃ.</param>
/// <param name="Returned">How many hypotheses of each row, best first.</param>
public sealed record BeamOptions(int Beams, double LengthPenalty = 1, EarlyStopping Early = EarlyStopping.Guess, int Returned = 1);

/// <summary>What a beam search returns.</summary>
/// <param name="Tokens">New tokens, an end token included.</param>
/// <param name="Score">Σ ÷ lengthᵃ.</param>
/// <param name="Parents">For each token the beam that it went on from: row · B + beam.</param>
/// <param name="TokenScores">Processed log-probability of each token.</param>
public sealed record Hypothesis(int[] Tokens, double Score, int[] Parents, float[] TokenScores);

/// <summary>
/// Beam search as transformers has it: log-softmax first, then the processors; of the best continuations of all beams those that end
/// and are among the best B become hypotheses, the best B that do not end go on.
/// </summary>
public static class BeamSearch
{
    /// <returns>The hypotheses of each prompt, best first; and how many forward passes were made.</returns>
    public static (IReadOnlyList<Hypothesis>[] Rows, int Steps) Generate(
        Decoder model, IReadOnlyList<int[]> prompts, GenerationOptions options, BeamOptions beams, CancellationToken cancel = default)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var cache = new KvCache(model, prompts.Max(prompt => prompt.Length) + options.MaxNewTokens);
        var rows = prompts.Select((prompt, r) => new Row(prompt, r, options, beams)).ToArray();
        var hidden = TextGenerator.First(model, cache, prompts);
        for (var step = 1; ; step++)
        {
            var chosen = Advance(model, hidden, rows, options, beams);
            hidden.Dispose();
            var goesOn = step < options.MaxNewTokens && rows.Any(row => row.IsOpen)
                && !(beams.Early == EarlyStopping.WhenFull && rows.All(row => row.IsFull));
            if (!goesOn || cancel.IsCancellationRequested) return ([.. rows.Select(row => row.Best(beams.Returned))], step);
            cache.Select(chosen);
            hidden = TextGenerator.Next(model, cache, [.. rows.SelectMany(row => row.Running.Select(beam => beam.Tokens[^1]))]);
        }
    }

    /// <summary>One more token for every beam; the rows of the cache that the new beams go on from.</summary>
    private static int[] Advance(Decoder model, Tensor hidden, Row[] rows, GenerationOptions options, BeamOptions beams)
    {
        using var scope = NewDisposeScope();
        var logProbabilities = nn.functional.log_softmax(model.Logits(hidden, new Pass(TextGenerator.NoAttention.Instance)).to(ScalarType.Float32), 1);
        var running = rows.SelectMany(row => row.Running.Select(beam => (row, beam))).ToArray();
        var scores = Scores.Process(logProbabilities, options, [.. running.Select(x => x.beam.Tokens)], running[0].beam.Tokens.Count - running[0].row.PromptLength);
        var sums = scores.Plus(tensor(running.Select(x => (float)x.beam.Sum).ToArray(), device: scores.device).unsqueeze(1));
        var width = (int)scores.shape[1];
        var perRow = running.Length / rows.Length;
        var wanted = Math.Min(Math.Max(2, 1 + options.EndTokens.Count) * beams.Beams, perRow * width);
        var (values, places) = sums.view(rows.Length, (long)perRow * width).topk(wanted, 1);
        var tokenScores = scores.view(rows.Length, (long)perRow * width).gather(1, places).cpu().data<float>().ToArray();
        var (sum, place) = (values.cpu().data<float>().ToArray(), places.cpu().data<long>().ToArray());
        var from = new List<int>();
        for (var r = 0; r < rows.Length; r++)
        {
            var candidates = Enumerable.Range(r * wanted, wanted)
                .Select(i => new Candidate((int)(place[i] / width), (int)(place[i] % width), sum[i], tokenScores[i])).ToArray();
            from.AddRange(rows[r].Take(candidates).Select(parent => r * perRow + parent));
        }
        return [.. from];
    }

    private sealed record Candidate(int Parent, int Token, double Sum, float Score);

    private sealed record Beam(IReadOnlyList<int> Tokens, double Sum, int[] Parents, float[] Scores);

    /// <summary>The beams and hypotheses of one prompt.</summary>
    private sealed class Row(int[] prompt, int index, GenerationOptions options, BeamOptions beams)
    {
        private List<Hypothesis> _finished = [];

        public int PromptLength => prompt.Length;

        public IReadOnlyList<Beam> Running { get; private set; } = [new Beam(prompt, 0, [], [])];

        /// <summary>Whether a running beam may still beat a hypothesis.</summary>
        public bool IsOpen { get; private set; } = true;

        public bool IsFull => _finished.Count == beams.Beams;

        public IReadOnlyList<Hypothesis> Best(int count) => _finished[..Math.Min(count, _finished.Count)];

        /// <summary>Takes the best continuations, in falling order; the parents of the beams that go on.</summary>
        public int[] Take(Candidate[] candidates)
        {
            var length = Running[0].Parents.Length + 1;
            bool Ends(Candidate c) => options.EndTokens.Contains(c.Token) || length == options.MaxNewTokens;
            Beam Grown(Candidate c)
            {
                var parent = Running[c.Parent];
                return new Beam([.. parent.Tokens, c.Token], c.Sum, [.. parent.Parents, index * beams.Beams + c.Parent], [.. parent.Scores, c.Score]);
            }
            if (IsOpen && !(IsFull && beams.Early == EarlyStopping.WhenFull))
            {
                var ended = candidates.Take(beams.Beams).Where(Ends).Select(c =>
                {
                    var grown = Grown(c);
                    return new Hypothesis([.. grown.Tokens.Skip(prompt.Length)], c.Sum / Math.Pow(length, beams.LengthPenalty), grown.Parents, grown.Scores);
                });
                _finished = [.. _finished.Concat(ended).OrderByDescending(hypothesis => hypothesis.Score).Take(beams.Beams)];
            }
            var goOn = candidates.Where(c => !Ends(c)).Take(beams.Beams).ToArray();
            if (goOn.Length > 0)
            {
                // Fewer than B can go on where everything else ends: the last is repeated, far behind, so that rows keep their shape.
                while (goOn.Length < beams.Beams) goOn = [.. goOn, goOn[^1] with { Sum = -1e9 }];
                Running = [.. goOn.Select(Grown)];
                var best = Running[0].Sum / Math.Pow(beams is { Early: EarlyStopping.Never, LengthPenalty: > 0 } ? options.MaxNewTokens : length, beams.LengthPenalty);
                IsOpen &= !IsFull || best > _finished[^1].Score;
            }
            else
            {
                IsOpen = false;
            }
            return [.. goOn.Select(c => c.Parent)];
        }
    }
}
