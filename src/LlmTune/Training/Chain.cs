using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Training;

/// <summary>
/// A model's forward and backward pass as a chain of links: the embedding, each block; the head with the loss is
/// <see cref="Objectives.TokenStatistics"/>. A link is kept (its own small graph lives until its turn) or recomputed (only its input
/// is kept, and it runs again with gradients). Links below the first that trains anything keep nothing at all.
/// Tensors belong to the caller's dispose scope, one a micro-batch.
/// </summary>
/// <param name="recomputed">How many blocks are recomputed, from the first on; the last ones are kept.</param>
public sealed class Chain(Decoder model, Pass pass, int recomputed)
{
    private readonly List<Link> _links = [];

    /// <summary>Whether anything in the links receives a gradient.</summary>
    public bool NeedsGradient { get; private set; }

    /// <summary>(T) ids → (T, D), detached, before the last norm.</summary>
    public Tensor Forward(Tensor ids)
    {
        var first = new Link(_ => model.Embedding.Forward(ids), model.Embedding.Trainable, recompute: false);
        var hidden = Run(first, ids);
        for (var i = 0; i < model.Blocks.Count; i++)
        {
            var block = model.Blocks[i];
            hidden = Run(new Link(x => block.Forward(x, pass), block.Trainable, recompute: i < recomputed), hidden);
        }
        return hidden;
    }

    /// <summary>Adds the gradients of everything that trains, last link first.</summary>
    /// <param name="gradient">(T, D), of what <see cref="Forward"/> returned.</param>
    public void Backward(Tensor gradient)
    {
        for (var i = _links.Count - 1; i >= 0; i--)
        {
            var below = _links[i].Backward(gradient);
            if (below is null) return;
            gradient = below;
        }
    }

    private Tensor Run(Link link, Tensor input)
    {
        var inputNeedsGradient = NeedsGradient;
        NeedsGradient |= link.Trainable;
        if (!NeedsGradient)
        {
            using var _ = no_grad();
            var output = link.Function(input);
            if (input.is_floating_point()) input.Dispose();   // nobody comes back to it; ids are the caller's
            return output;
        }
        _links.Add(link);
        return link.Forward(input, inputNeedsGradient);
    }

    private sealed class Link(Func<Tensor, Tensor> function, bool trainable, bool recompute)
    {
        private Tensor? _input, _output;

        public Func<Tensor, Tensor> Function => function;

        public bool Trainable => trainable;

        public Tensor Forward(Tensor input, bool needsGradient)
        {
            _input = input.detach();
            if (needsGradient) _input.requires_grad = true;
            if (recompute)
            {
                using var _ = no_grad();
                return function(_input.detach());
            }
            using (enable_grad()) _output = function(_input);
            return _output.detach();
        }

        /// <summary>The gradient of the input; null where nothing below wants it.</summary>
        public Tensor? Backward(Tensor gradient)
        {
            if (_output is null)
            {
                using (enable_grad()) _output = function(_input!);
            }
            _output.backward([gradient]);
            gradient.Dispose();
            var below = _input!.requires_grad ? _input.grad! : null;
            _output.Dispose();
            _input.Dispose();
            return below;
        }
    }
}
