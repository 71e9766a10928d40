using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Objectives;

/// <summary>
/// What objectives ask of the head: log-probabilities of the supervised tokens. The head is computed at supervised positions only
/// and in chunks of rows, so that (tokens, vocabulary) never exists as a whole.
/// </summary>
/// <param name="chunk">Rows of logits that exist at a time; null: as many as a fixed room holds.</param>
public sealed class TokenStatistics(Decoder model, int? chunk = null)
{
    private readonly int _chunk = chunk ?? ChunkRows(model.Device, model.Spec.Vocabulary);

    /// <summary>Rows of logits that exist at a time, unless said otherwise.</summary>
    public static int ChunkRows(Device device, int vocabulary) =>
        (int)Math.Clamp((device.type == DeviceType.CPU ? 128L << 20 : 1L << 30) / (4L * vocabulary), 128, 8192);

    /// <summary>log p(target | tokens before it), float32 (S), without gradients.</summary>
    /// <param name="hidden">(T, D) before the last norm.</param>
    /// <param name="predicting">(S) int64: the positions that predict.</param>
    /// <param name="targets">(S) int64: what they have to predict.</param>
    public Tensor LogProbabilities(Tensor hidden, Tensor predicting, Tensor targets, Pass pass)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var count = targets.shape[0];
        var result = empty(count, ScalarType.Float32, hidden.device);
        for (long start = 0; start < count; start += _chunk)
        {
            using var chunkScope = NewDisposeScope();
            var rows = Math.Min(_chunk, count - start);
            var positions = predicting.narrow(0, start, rows);
            var logits = model.Logits(hidden.index_select(0, positions), Chosen(pass, positions)).to(ScalarType.Float32);
            result.narrow(0, start, rows).copy_(LogProbabilities(logits, targets.narrow(0, start, rows)));
        }
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Forward and backward of Σ coefficient · log p in one pass: gradients of head and last norm are added up where these are
    /// trained, that of the hidden states is returned. With p = softmax(z), ∂ log p(target)/∂z = onehot(target) − p.
    /// </summary>
    /// <param name="coefficients">(S) float32: ∂ loss / ∂ log p of every token.</param>
    /// <param name="needsGradient">Whether anything below wants the gradient of the hidden states.</param>
    /// <returns>log p, float32 (S); and the gradient (T, D), null if it is not needed.</returns>
    public (Tensor LogProbabilities, Tensor? Gradient) Backward(
        Tensor hidden, Tensor predicting, Tensor targets, Tensor coefficients, Pass pass, bool needsGradient)
    {
        using var scope = NewDisposeScope();
        var input = hidden.detach();
        input.requires_grad = needsGradient;
        Tensor normed;
        using (enable_grad()) normed = model.Norm.Forward(input.index_select(0, predicting));   // (S, D)

        var count = targets.shape[0];
        var logProbabilities = empty(count, ScalarType.Float32, hidden.device);
        var gradient = normed.requires_grad ? empty_like(normed) : null;
        var headTrains = model.Head.Trainable;
        for (long start = 0; start < count; start += _chunk)
        {
            using var chunkScope = NewDisposeScope();
            var rows = Math.Min(_chunk, count - start);
            var leaf = normed.detach().narrow(0, start, rows).detach();
            leaf.requires_grad = gradient is not null;
            Tensor output;
            using (enable_grad()) output = model.Head.Forward(leaf, Chosen(pass, predicting.narrow(0, start, rows)))[0];
            using (no_grad())
            {
                var target = targets.narrow(0, start, rows).unsqueeze(1);
                var logSoftmax = nn.functional.log_softmax(output.detach().to(ScalarType.Float32), 1);
                logProbabilities.narrow(0, start, rows).copy_(logSoftmax.gather(1, target).squeeze(1));
                if (!output.requires_grad) continue;
                var coefficient = coefficients.narrow(0, start, rows).unsqueeze(1);
                var minus = logSoftmax.exp_();   // p − onehot, in the place of log p
                minus.scatter_add_(1, target, ones_like(coefficient).neg_());
                // Each row's coefficient may as well be applied behind a head that does not train: (rows, D) instead of (rows, V).
                if (headTrains) minus.mul_(-coefficient);
                output.backward([minus.to(output.dtype)]);
                if (!headTrains) leaf.grad!.mul_(-coefficient);
            }
            if (gradient is not null) gradient.narrow(0, start, rows).copy_(leaf.grad!);
        }
        if (gradient is not null) normed.backward([gradient]);
        return (logProbabilities.MoveToOuterDisposeScope(), needsGradient ? input.grad!.MoveToOuterDisposeScope() : null);
    }

    /// <summary>log softmax(z)[target] of each row: (S, V) float32, (S) → (S).</summary>
    public static Tensor LogProbabilities(Tensor logits, Tensor targets) =>
        logits.gather(1, targets.unsqueeze(1)).squeeze(1) - logits.logsumexp(1);

    private static Pass Chosen(Pass pass, Tensor positions) => pass with { Dropout = pass.Dropout.Rows(positions) };
}
