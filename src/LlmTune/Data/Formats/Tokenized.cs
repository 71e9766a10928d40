using System.Text.Json;
using LlmTune.Data.Sources;

namespace LlmTune.Data.Formats;

/// <summary>
/// Rows already tokenized: <c>input_ids</c>, with <c>labels</c> (−100 where not trained on), or with TRL's <c>completion_mask</c> and
/// <c>assistant_masks</c>, which hold together; <c>loss_weights</c> (<c>loss_scale</c> of ms-swift) says how much each token counts.
/// </summary>
internal static class Tokenized
{
    /// <summary>The label of a token that is not trained on.</summary>
    private const int Ignored = -100;

    public static RowFormat Format { get; } = new(
        "tokenized",
        [new Part("input_ids", true), new Part("labels", false), new Part("completion_mask", false), new Part("assistant_masks", false),
            new Part("loss_weights", false, "loss_scale", "weights")],
        Fits,
        Read);

    private static bool Fits(Fields row) => row.TryGet("input_ids", out var ids) && ids.ValueKind == JsonValueKind.Array;

    private static Example.Tokens Read(Fields row)
    {
        var ids = Integers(row, "input_ids") ?? throw new RowException("has no 'input_ids'");
        if (Array.Find(ids, id => id < 0) is < 0 and var negative)
            throw new RowException($"'{row.ColumnOf("input_ids")}' holds {negative}, expected token ids from 0");
        if (Integers(row, "labels", ids.Length) is { } labels)
        {
            for (var t = 0; t < ids.Length; t++)
            {
                if (labels[t] != Ignored && labels[t] != ids[t])
                    throw new RowException($"label {labels[t]} at position {t} stands over token {ids[t]}; a label is its token's id, or {Ignored}");
            }
            return new Example.Tokens(ids, Array.ConvertAll(labels, label => label != Ignored)) { Weights = Weights(row, ids.Length) };
        }
        return new Example.Tokens(ids, Mask(row, "assistant_masks", ids.Length), Mask(row, "completion_mask", ids.Length)) { Weights = Weights(row, ids.Length) };
    }

    private static float[]? Weights(Fields row, int length)
    {
        const string part = "loss_weights";
        if (!row.TryGet(part, out var list)) return null;
        if (list.ValueKind != JsonValueKind.Array) throw row.Wrong(part, list, "a list of numbers");
        var weights = new float[list.GetArrayLength()];
        if (weights.Length != length) throw new RowException($"'{row.ColumnOf(part)}' has {weights.Length} entries, '{row.ColumnOf("input_ids")}' has {length}");
        foreach (var (t, value) in list.EnumerateArray().Index())
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetSingle(out weights[t]) || !(weights[t] >= 0 && float.IsFinite(weights[t])))
                throw new RowException($"'{row.ColumnOf(part)}' holds {Kinds.Describe(value)} at position {t}, expected numbers from 0");
        }
        return weights;
    }

    private static bool[]? Mask(Fields row, string part, int length)
    {
        if (Integers(row, part, length) is not { } values) return null;
        return Array.TrueForAll(values, v => v is 0 or 1)
            ? Array.ConvertAll(values, v => v == 1)
            : throw new RowException($"'{row.ColumnOf(part)}' holds {Array.Find(values, v => v is not (0 or 1))}, expected 0 and 1");
    }

    private static int[]? Integers(Fields row, string part, int? length = null)
    {
        if (!row.TryGet(part, out var list)) return null;
        if (list.ValueKind != JsonValueKind.Array) throw row.Wrong(part, list, "a list of integers");
        var values = new int[list.GetArrayLength()];
        if (length is { } expected && values.Length != expected)
            throw new RowException($"'{row.ColumnOf(part)}' has {values.Length} entries, '{row.ColumnOf("input_ids")}' has {expected}");
        foreach (var (t, value) in list.EnumerateArray().Index())
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out values[t]))
                throw new RowException($"'{row.ColumnOf(part)}' holds {Kinds.Describe(value)} at position {t}, expected integers");
        }
        return values;
    }
}
