using LlmTune.Layers;

namespace LlmTune.Models;

/// <summary>Rotary settings in config.json: transformers 5's rope_parameters, or the older rope_theta with rope_scaling.</summary>
public static class RopeConfig
{
    /// <summary>
    /// Where both sections stand there rope_scaling counts and rope_parameters does not, its base neither, as in transformers: people are
    /// told to write rope_scaling into configs that have rope_parameters already.
    /// </summary>
    /// <param name="dimensions">Rotated dimensions of a head.</param>
    public static RopeSpec Read(ConfigJson config, int dimensions, double defaultTheta, int maxPositions)
    {
        var settings = Section(config);
        var theta = settings?.Number("rope_theta") ?? config.Number("rope_theta", defaultTheta);
        if (settings is null) return new RopeSpec(theta, dimensions);

        var kind = Kind(settings);
        var original = Original(config, settings, maxPositions);
        double Required(string key) => settings.Number(key) ?? throw new RequestException($"{config.File}: rotary scaling '{kind}' needs {key}");
        return kind switch
        {
            "default" => new RopeSpec(theta, dimensions),
            "linear" => new LinearRope(theta, dimensions, Required("factor")),
            "dynamic" => new DynamicRope(theta, dimensions, Required("factor"), maxPositions),
            "llama3" => new Llama3Rope(theta, dimensions, Required("factor"), Required("low_freq_factor"), Required("high_freq_factor"), original),
            "yarn" => new YarnRope(theta, dimensions, Required("factor"), original)
            {
                BetaFast = settings.Number("beta_fast", 32),
                BetaSlow = settings.Number("beta_slow", 1),
                Truncate = settings.Flag("truncate", true),
                Attention = settings.Number("attention_factor"),
                MScale = settings.Number("mscale"),
                MScaleAllDimensions = settings.Number("mscale_all_dim"),
            },
            _ => throw new UnsupportedModelException($"{config.File}: rotary scaling '{kind}' is not built; there are default, linear, dynamic, llama3 and yarn"),
        };
    }

    /// <summary>
    /// How many positions a model is good for: max_position_embeddings, or what its scaling stretches the original length to where that is more
    /// (configs are scaled by adding the section alone).
    /// </summary>
    public static int Reach(ConfigJson config, int maxPositions)
    {
        if (Section(config) is not { } settings || settings.Number("factor") is not (> 1 and var factor)) return maxPositions;
        var stretched = Kind(settings) switch
        {
            "linear" or "dynamic" => factor * maxPositions,
            "yarn" => factor * Original(config, settings, maxPositions),
            _ => 0,
        };
        return (int)Math.Clamp(stretched, maxPositions, int.MaxValue);
    }

    private static ConfigJson? Section(ConfigJson config) => config.Object("rope_scaling") is { IsEmpty: false } scaling ? scaling : config.Object("rope_parameters");

    private static string Kind(ConfigJson settings) => settings.Text("rope_type") ?? settings.Text("type") ?? "default";

    /// <summary>The length that the model was trained on before it was scaled; beside the section it counts more than in it.</summary>
    private static int Original(ConfigJson config, ConfigJson settings, int maxPositions) =>
        config.Integer("original_max_position_embeddings") ?? settings.Integer("original_max_position_embeddings") ?? maxPositions;
}

/// <summary>A model, or an option of one, that is not built; the message names it.</summary>
public sealed class UnsupportedModelException(string message) : RequestException(message);
