using LlmTune.Layers;

namespace LlmTune.Models;

/// <summary>Rotary settings in config.json: transformers 5's rope_parameters, or the older rope_theta with rope_scaling.</summary>
public static class RopeConfig
{
    /// <param name="dimensions">Rotated dimensions of a head.</param>
    public static RopeSpec Read(ConfigJson config, int dimensions, double defaultTheta, int maxPositions)
    {
        var settings = config.Object("rope_parameters") ?? config.Object("rope_scaling");
        var theta = settings?.Number("rope_theta") ?? config.Number("rope_theta", defaultTheta);
        if (settings is null) return new RopeSpec(theta, dimensions);

        var kind = settings.Text("rope_type") ?? settings.Text("type") ?? "default";
        var original = settings.Integer("original_max_position_embeddings") ?? maxPositions;
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
}

/// <summary>A model, or an option of one, that is not built; the message names it.</summary>
public sealed class UnsupportedModelException(string message) : RequestException(message);
